"""Decide what each write makes of an object in the fake API. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grandstand.client import DeleteOptions, Propagation
from grandstand.clock import parse_time, rfc3339
from grandstand.errors import BadRequest, Conflict
from grandstand.kinds import Object, Resource, is_deleting
from grandstand.kinds.resources import NAMESPACES, PODS

POD_GRACE_SECONDS = 30
FINALIZERS = {Propagation.FOREGROUND: "foregroundDeletion", Propagation.ORPHAN: "orphan"}
KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion")
"""Metadata that an update cannot change."""


def check_preconditions(wanted: Mapping[str, Any], obj: Object) -> None:
    """Raise Conflict where an object has another uid or resourceVersion than a request names."""
    for name in ("uid", "resourceVersion"):
        if wanted.get(name) and wanted[name] != obj["metadata"][name]:
            raise Conflict(f"Precondition failed: {name} is {obj['metadata'][name]}, not {wanted[name]}")


def replaced(resource: Resource, before: Object, after: Object, subresource: str) -> Object:
    """The object after a write of all but its status, or of only that; who and when stay as they were."""
    match subresource:
        case "status":
            after = before | ({"status": after["status"]} if "status" in after else {})
        case "finalize":
            spec = (before.get("spec") or {}) | {"finalizers": (after.get("spec") or {}).get("finalizers") or []}
            after = before | {"spec": spec}
        case "scale" if "scale" in resource.subresources:
            after = before | {"spec": before["spec"] | {"replicas": after["spec"]["replicas"]}}
        case "":
            after = {**after, "metadata": after.get("metadata") or {}}
            if "status" in resource.subresources:
                after = {name: value for name, value in after.items() if name != "status"}
                after |= {"status": before["status"]} if "status" in before else {}
        case _:
            raise BadRequest(f"the fake API does not write {resource.qualified}/{subresource}")
    meta = {name: value for name, value in after["metadata"].items() if name not in KEPT}
    meta |= {name: before["metadata"][name] for name in KEPT if name in before["metadata"]}
    meta["generation"] = before["metadata"]["generation"] + (after.get("spec") != before.get("spec"))
    return after | {"metadata": meta}


def scale_of(obj: Object) -> Object:
    """What a write of a scale is answered with; here without its selector."""
    kept = ("name", "namespace", "uid", "resourceVersion")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in kept},
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {"replicas": (obj.get("status") or {}).get("replicas", 0)},
    }


def deleted(resource: Resource, before: Object, options: DeleteOptions, now: float) -> Object | None:
    """The object after a delete request, None when it is gone. Raises Conflict where a precondition does not hold."""
    check_preconditions({"uid": options.uid, "resourceVersion": options.resource_version}, before)
    finalizers = list(before["metadata"].get("finalizers", []))
    if options.propagation is not None:
        finalizers = [finalizer for finalizer in finalizers if finalizer not in FINALIZERS.values()]
        finalizers += [FINALIZERS[options.propagation]] if options.propagation in FINALIZERS else []
    grace = _grace(resource, before, options)
    if not (finalizers or grace or _namespace_content(resource, before)):
        return None
    meta = before["metadata"] | {"finalizers": finalizers, "deletionGracePeriodSeconds": grace}
    meta["deletionTimestamp"] = rfc3339(_asked_at(before["metadata"], now) + grace)
    if not is_deleting(before):
        meta["generation"] += 1
    after = before | {"metadata": {name: value for name, value in meta.items() if value != []}}
    if resource is NAMESPACES:
        after["status"] = (before.get("status") or {}) | {"phase": "Terminating"}
    return after


def _grace(resource: Resource, pod: Object, options: DeleteOptions) -> int:
    """The seconds that a Pod may take to stop. A second request can shorten them, not lengthen."""
    spec, phase = pod.get("spec") or {}, (pod.get("status") or {}).get("phase")
    if resource is not PODS or not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    own = pod["metadata"].get("deletionGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    own = POD_GRACE_SECONDS if own is None else int(own)
    if options.grace_seconds is None:
        return own
    return min(own, options.grace_seconds) if is_deleting(pod) else options.grace_seconds


def _asked_at(meta: Object, now: float) -> float:
    if "deletionTimestamp" not in meta:
        return now
    return parse_time(meta["deletionTimestamp"]) - float(meta.get("deletionGracePeriodSeconds", 0))


def is_finished(resource: Resource, obj: Object) -> bool:
    """Whether nothing holds an object that is being deleted any longer."""
    held = obj["metadata"].get("finalizers") or obj["metadata"].get("deletionGracePeriodSeconds")
    return is_deleting(obj) and not held and not _namespace_content(resource, obj)


def _namespace_content(resource: Resource, obj: Object) -> bool:
    return resource is NAMESPACES and bool((obj.get("spec") or {}).get("finalizers"))


def bound(pod: Object, binding: Object) -> Object:
    """The Pod on the node that a binding names. Raises Conflict where it runs already, ends, or is another."""
    meta = pod["metadata"]
    if pod["spec"].get("nodeName") or is_deleting(pod):
        raise Conflict(f"pod {meta['name']} is already assigned to a node, or is being deleted")
    check_preconditions({"uid": (binding.get("metadata") or {}).get("uid")}, pod)
    status = pod.get("status") or {}
    conditions = [c for c in status.get("conditions", []) if c["type"] != "PodScheduled"]
    conditions.append({"type": "PodScheduled", "status": "True"})
    spec = pod["spec"] | {"nodeName": binding["target"]["name"]}
    return pod | {"spec": spec, "status": status | {"conditions": conditions}}


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
