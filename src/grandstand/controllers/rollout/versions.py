"""The ReplicaSets of a Rollout as versions: which is the newest, what each is called, when it goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from grandstand.clock import parse_time
from grandstand.controllers.deployment.revisions import same_template, template_hash
from grandstand.controllers.ownership import controller_reference
from grandstand.kinds import Object, ReplicaSet, Rollout
from grandstand.kinds.resources import REPLICA_SETS, ROLLOUTS
from grandstand.kinds.rollouts import ROLLOUT_HASH

REVISION = "rollout.argoproj.io/revision"
DEADLINE = "scale-down-deadline"
"""When a version that serves no more is scaled down; the name is Argo's."""

SERVED = "rollout.grandstand.dev/served"
"""On a version that was stable once: only such a one is gone back to without pause and analysis."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The ReplicaSet of the current template, if there is one, and all others, oldest first."""

    new: ReplicaSet | None
    old: tuple[ReplicaSet, ...]

    @property
    def all(self) -> tuple[ReplicaSet, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    def of_hash(self, text: str) -> ReplicaSet | None:
        return next((each for each in self.all if hash_of(each) == text), None) if text else None


def versions_of(wanted: Rollout, owned: Iterable[ReplicaSet]) -> Versions:
    """Sort a Rollout's ReplicaSets."""
    ordered = sorted(owned, key=lambda each: (each.metadata.creation_timestamp or "", each.metadata.name))
    new = next((e for e in ordered if same_template(wanted.spec.template, e.spec.template, ROLLOUT_HASH)), None)
    return Versions(new, tuple(each for each in ordered if each is not new))


def hash_of(replica_set: ReplicaSet) -> str:
    return replica_set.metadata.labels.get(ROLLOUT_HASH, "")


def new_hash(wanted: Rollout) -> str:
    """The hash that the ReplicaSet of the current template gets, if it has to be made."""
    return template_hash(wanted.spec.template, wanted.status.collision_count or 0)


def name_of_new(wanted: Rollout) -> str:
    return f"{wanted.metadata.name}-{new_hash(wanted)}"


def revision_of(replica_set: ReplicaSet) -> int:
    text = replica_set.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def next_revision(versions: Versions) -> int:
    return max(map(revision_of, versions.old), default=0) + 1


def is_available(replica_set: ReplicaSet | None, count: int) -> bool:
    """Whether so many Pods have been ready for long enough, as far as its status is up to date."""
    if replica_set is None:
        return False
    return replica_set.status.available_replicas >= count and replica_set.spec.replicas >= count


def deadline_of(replica_set: ReplicaSet) -> float | None:
    text = replica_set.metadata.annotations.get(DEADLINE)
    return parse_time(text) if text else None


def is_leaving(replica_set: ReplicaSet) -> bool:
    """Whether a version served before, and has Pods still."""
    marked = deadline_of(replica_set) is not None and SERVED in replica_set.metadata.annotations
    return marked and replica_set.spec.replicas > 0


def served_just_now(replica_set: ReplicaSet, stable_hash: str, wished: int) -> bool:
    """Whether a version is one that served before, and is still there at full size."""
    return (hash_of(replica_set) == stable_hash or is_leaving(replica_set)) and is_available(replica_set, wished)


def replica_set_from(wanted: Rollout, versions: Versions, replicas: int) -> Object:
    """The ReplicaSet of the current template."""
    mark = {ROLLOUT_HASH: new_hash(wanted)}
    template = wanted.spec.template
    meta = template.get("metadata") or {}
    labels = (meta.get("labels") or {}) | mark
    selector: Object = msgspec.to_builtins(wanted.spec.selector)
    selector = {part: value for part, value in selector.items() if value}
    selector["matchLabels"] = selector.get("matchLabels", {}) | mark
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": name_of_new(wanted),
            "namespace": wanted.metadata.namespace,
            "labels": labels,
            "annotations": {REVISION: str(next_revision(versions))},
            "ownerReferences": [controller_reference(ROLLOUTS, wanted.metadata)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": template | {"metadata": meta | {"labels": labels}},
            **({"minReadySeconds": wanted.spec.min_ready_seconds} if wanted.spec.min_ready_seconds else {}),
        },
    }
