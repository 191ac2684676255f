"""A kopf operator that reacts to ConfigMaps and Deployments labelled `watched`: `kopf run` executes it."""

import kopf

WATCHED = {"labels": {"watched": "yes"}}


@kopf.on.create("configmaps", **WATCHED)
def greet(body, patch, **_):
    kopf.info(body, reason="Greeted", message="hello")
    patch.metadata.annotations["example.com/seen"] = "created"


@kopf.on.update("configmaps", field="data", **WATCHED)
def follow(new, patch, **_):
    patch.metadata.annotations["example.com/seen"] = new["a"]


@kopf.on.delete("configmaps", **WATCHED)
def bid_farewell(body, **_):
    kopf.info(body, reason="Left", message="goodbye")


@kopf.on.create("deployments", **WATCHED)
def measure(spec, **_):
    # kopf writes this into status.measure, which a Deployment does not have: the server prunes it.
    return {"replicas": spec["replicas"]}
