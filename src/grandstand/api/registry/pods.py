"""Read the requests that only Pods have: binding to a node, and eviction. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from grandstand.api.refusals import conflict
from grandstand.client import DeleteOptions, Propagation
from grandstand.clock import rfc3339
from grandstand.errors import BadRequest
from grandstand.kinds import Object
from grandstand.kinds.resources import PODS

T = TypeVar("T")


class _Preconditions(msgspec.Struct, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class DeleteBody(msgspec.Struct, rename="camel"):
    """A `DeleteOptions` object as clients send it."""

    grace_period_seconds: int | None = None
    preconditions: _Preconditions | None = None
    propagation_policy: Propagation | None = None
    orphan_dependents: bool | None = None
    dry_run: list[str] | None = None

    def options(self) -> DeleteOptions:
        """Raises BadRequest for options that exclude each other."""
        if self.orphan_dependents is not None and self.propagation_policy is not None:
            raise BadRequest("orphanDependents and propagationPolicy cannot both be set: leave out orphanDependents")
        propagation = self.propagation_policy
        if self.orphan_dependents is not None:
            propagation = Propagation.ORPHAN if self.orphan_dependents else Propagation.BACKGROUND
        conditions = self.preconditions or _Preconditions()
        return DeleteOptions(
            self.grace_period_seconds,
            conditions.uid,
            conditions.resource_version,
            propagation,
            is_dry_run(self.dry_run or []),
        )


class _Target(msgspec.Struct):
    name: str = ""
    kind: str = ""


class _Meta(msgspec.Struct):
    name: str = ""
    uid: str = ""


class Binding(msgspec.Struct):
    target: _Target
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class Eviction(msgspec.Struct, rename="camel"):
    delete_options: DeleteBody | None = None
    metadata: _Meta = msgspec.field(default_factory=_Meta)


def read(body: object, shape: type[T]) -> T:
    """A small request object. Raises BadRequest where a field has another type."""
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the request body is malformed: {error}") from error


def is_dry_run(values: list[str]) -> bool:
    """Whether `dryRun` asks for one. Raises BadRequest for anything but "All"."""
    for value in values:
        if value != "All":
            raise BadRequest(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return bool(values)


def bound(pod: Object, binding: Binding, now: float) -> Object:
    """A copy of a Pod that is to run on the node of a Binding. Raises Conflict where it cannot be moved there."""
    name = pod["metadata"]["name"]
    node = pod.get("spec", {}).get("nodeName")
    if not binding.target.name or binding.target.kind not in ("", "Node"):
        raise BadRequest("target must name a Node")
    if binding.metadata.uid and binding.metadata.uid != pod["metadata"]["uid"]:
        raise conflict(PODS, name, f"Precondition failed: UID in precondition: {binding.metadata.uid}")
    if "deletionTimestamp" in pod["metadata"]:
        raise conflict(PODS, name, f"pod {name} is being deleted, cannot be assigned to a host")
    if node:
        raise conflict(PODS, name, f'pod {name} is already assigned to node "{node}"')
    status = pod.get("status", {})
    others = [condition for condition in status.get("conditions", []) if condition["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(now)}
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": binding.target.name},
        "status": {**status, "conditions": [*others, scheduled]},
    }
