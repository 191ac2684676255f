"""What the API does with Pods."""

from __future__ import annotations

from grandstand.api.rules import names
from grandstand.api.rules.fields import Causes, forbidden, part
from grandstand.api.rules.kind_rules import KindRules
from grandstand.kinds import Object

from .defaults import PRIORITIES, default_pod
from .quality import quality_of_service
from .spec import check_pod_spec
from .updates import check_pod_update
from .warnings import pod_warnings


def _initial_status(pod: Object) -> Object:
    return {"phase": "Pending", "qosClass": quality_of_service(part(pod, "spec"))}


def _check(pod: Object) -> Causes:
    spec = part(pod, "spec")
    yield from check_pod_spec(spec, "spec")
    computed = PRIORITIES.get(spec.get("priorityClassName") or "", 0)
    if spec.get("priority", computed) != computed:
        yield forbidden(
            "spec.priority",
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {computed} from the given PriorityClass name",
        )


def _keep_in_status(new: Object, old: Object) -> None:
    """Old node agents wrote owner references back wrongly: the status endpoint never changes them."""
    meta, old_meta = new["metadata"], part(old, "metadata")
    if "ownerReferences" in old_meta:
        meta["ownerReferences"] = old_meta["ownerReferences"]
    else:
        meta.pop("ownerReferences", None)
    if "qosClass" in part(old, "status"):
        new["status"]["qosClass"] = old["status"]["qosClass"]


RULES = KindRules(
    default=default_pod,
    check=_check,
    check_update=check_pod_update,
    name=names.dns_subdomain,
    initial_status=_initial_status,
    has_generation=True,
    keep_in_status=_keep_in_status,
    selectable=frozenset(
        (
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        )
    ),
    warn=pod_warnings,
)
