"""Show the replicas of a workload as a `Scale`, and take them from one: the subresource `scale`. Pure."""

from __future__ import annotations

from grandstand.client import PatchType
from grandstand.errors import BadRequest, Cause, UnsupportedMediaType
from grandstand.kinds import Object, Resource

from .change import json_patch, merge_patch
from .refusals import conflict, invalid

MOST_REPLICAS = 2**31 - 1
SCALE = Resource("autoscaling", "v1", "scales", "Scale")


def scale_of(obj: Object) -> Object:
    """The Scale of a Deployment, ReplicaSet or Rollout; one with a `workloadRef` has its selector in its status."""
    meta, spec = obj["metadata"], obj["spec"]
    selector = selector_text(spec.get("selector") or {}) or obj.get("status", {}).get("selector", "")
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            **({"selector": selector} if selector else {}),
        },
    }


def with_scale(resource: Resource, obj: Object, scale: Object) -> Object:
    """A copy of a workload with the replicas of a Scale. Raises Conflict, BadRequest and Invalid."""
    meta, name = scale.get("metadata") or {}, obj["metadata"]["name"]
    if meta.get("name", name) != name:
        raise BadRequest(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    uid, version = meta.get("uid"), meta.get("resourceVersion")
    current = obj["metadata"]
    if (uid and uid != current["uid"]) or (version and version != current["resourceVersion"]):
        raise conflict(resource, name)
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or abs(replicas) > MOST_REPLICAS:
        raise BadRequest(f"spec.replicas must be a whole number of 32 bits, not {replicas!r}")
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(SCALE, name, [Cause("FieldValueInvalid", message, "spec.replicas")])
    return {**obj, "spec": {**obj["spec"], "replicas": replicas}}


def patched_scale(scale: Object, patch: Object | list[Object], kind: PatchType) -> Object:
    """A Scale after a patch. Raises BadRequest, and UnsupportedMediaType for a server-side apply."""
    if kind is PatchType.APPLY:
        raise UnsupportedMediaType("scale takes JSON, merge and strategic merge patches, not server-side apply")
    if kind is PatchType.JSON:
        if not isinstance(patch, list):
            raise BadRequest("a JSON patch is a list of operations: send [...] or another patch type")
        return json_patch(scale, patch)
    if not isinstance(patch, dict):
        raise BadRequest("the patch must be an object")
    # A Scale has no lists, so a strategic merge does what a merge does.
    return merge_patch(scale, patch)


def selector_text(selector: Object) -> str:
    """A LabelSelector as the text that `labelSelector` parameters have."""
    clauses = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    clauses += [_expression_text(expression) for expression in selector.get("matchExpressions") or ()]
    return ",".join(clauses)


def _expression_text(expression: Object) -> str:
    key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
    match expression["operator"]:
        case "Exists":
            return str(key)
        case "DoesNotExist":
            return f"!{key}"
        case operator:
            return f"{key} {operator.lower()} ({values})"
