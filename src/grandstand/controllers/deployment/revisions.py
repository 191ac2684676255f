"""The ReplicaSets of a Deployment as its history: which is the newest, what each is called, which may go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from grandstand.clock import SUFFIX_ALPHABET
from grandstand.controllers.ownership import controller_reference
from grandstand.kinds import Deployment, Object, ReplicaSet
from grandstand.kinds.resources import DEPLOYMENTS, REPLICA_SETS

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
POD_TEMPLATE_HASH = "pod-template-hash"
HASH_LENGTH = 10
HISTORY_CHARACTERS = 2000

# The Deployment's own; every other annotation (e.g. kubernetes.io/change-cause) goes on to the ReplicaSet.
OWN_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)


@dataclass(frozen=True, slots=True)
class History:
    """The ReplicaSet of the current template, if there is one, and all others, oldest first."""

    new: ReplicaSet | None
    old: tuple[ReplicaSet, ...]

    @property
    def all(self) -> tuple[ReplicaSet, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    @property
    def pods(self) -> int:
        """The Pods that there should be now."""
        return sum(each.spec.replicas for each in self.all)

    @property
    def occupied(self) -> int:
        """The Pods that there should be, and those that an old ReplicaSet has yet to end: surging must not add to them.

        Kubernetes counts the former only: its rollouts exceed maxSurge for moments.
        """
        return sum(max(each.spec.replicas, each.status.replicas) for each in self.all)


def history_of(wanted: Deployment, owned: Iterable[ReplicaSet]) -> History:
    """Sort a Deployment's ReplicaSets; of several with the current template the oldest is the new one."""
    ordered = sorted(owned, key=lambda each: (each.metadata.creation_timestamp or "", each.metadata.name))
    new = next((each for each in ordered if same_template(wanted.spec.template, each.spec.template)), None)
    return History(new, tuple(each for each in ordered if each is not new))


def same_template(one: Object, other: Object, mark: str = POD_TEMPLATE_HASH) -> bool:
    """Whether two Pod templates are equal, but for the hash that a ReplicaSet's bears in the label `mark`."""
    return _without(mark, one) == _without(mark, other)


def template_hash(template: Object, collisions: int) -> str:
    """Ten letters and digits that follow from a template; other ones after a collision."""
    encoded = msgspec.json.encode(template, order="deterministic") + collisions.to_bytes(4, "big")
    number, letters = int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "big"), ""
    for _ in range(HASH_LENGTH):
        number, letter = divmod(number, len(SUFFIX_ALPHABET))
        letters += SUFFIX_ALPHABET[letter]
    return letters


def name_of_new(wanted: Deployment) -> str:
    """What the ReplicaSet of the current template is called, if it has to be made."""
    return f"{wanted.metadata.name}-{template_hash(wanted.spec.template, wanted.status.collision_count or 0)}"


def revision_of(replica_set: ReplicaSet) -> int:
    """The number that `kubectl rollout history` shows; 0 when it has none."""
    text = replica_set.metadata.annotations.get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def next_revision(history: History) -> int:
    return max(map(revision_of, history.old), default=0) + 1


def replica_set_from(wanted: Deployment, history: History, replicas: int, largest: int) -> Object:
    """The ReplicaSet of the current template."""
    name = name_of_new(wanted)
    mark = {POD_TEMPLATE_HASH: name.rpartition("-")[2]}
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
            "name": name,
            "namespace": wanted.metadata.namespace,
            "labels": labels,
            "annotations": passed_on(wanted)
            | {REVISION: str(next_revision(history))}
            | size_annotations(wanted.spec.replicas, largest),
            "ownerReferences": [controller_reference(DEPLOYMENTS, wanted.metadata)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": template | {"metadata": meta | {"labels": labels}},
            **({"minReadySeconds": wanted.spec.min_ready_seconds} if wanted.spec.min_ready_seconds else {}),
        },
    }


def passed_on(wanted: Deployment) -> dict[str, str]:
    """The Deployment's annotations that its newest ReplicaSet bears too."""
    return {name: value for name, value in wanted.metadata.annotations.items() if name not in OWN_ANNOTATIONS}


def size_annotations(wished: int, largest: int) -> dict[str, str]:
    """What proportional scaling has to know later: the Deployment's size when this ReplicaSet's was set."""
    return {DESIRED_REPLICAS: str(wished), MAX_REPLICAS: str(largest)}


def renewed_annotations(wanted: Deployment, history: History, new: ReplicaSet) -> dict[str, str]:
    """The annotations that the newest ReplicaSet should have: after an undo it gets the next revision."""
    annotations = new.metadata.annotations | passed_on(wanted)
    revision, before = next_revision(history), revision_of(new)
    if before >= revision:
        return annotations
    annotations[REVISION] = str(revision)
    if before:
        earlier = [*filter(None, annotations.get(REVISION_HISTORY, "").split(",")), str(before)]
        while len(",".join(earlier)) > HISTORY_CHARACTERS:
            earlier.pop(0)
        annotations[REVISION_HISTORY] = ",".join(earlier)
    return annotations


def superfluous(history: History, limit: int) -> Sequence[ReplicaSet]:
    """The old ReplicaSets beyond the limit that have no Pods, lowest revision first."""
    alive = sorted((each for each in history.old if each.metadata.deletion_timestamp is None), key=revision_of)
    return [each for each in alive[: max(0, len(alive) - limit)] if _is_empty(each)]


def _is_empty(replica_set: ReplicaSet) -> bool:
    observed = replica_set.metadata.generation <= replica_set.status.observed_generation
    return observed and replica_set.spec.replicas == 0 and replica_set.status.replicas == 0


def _without(mark: str, template: Object) -> Object:
    meta = template.get("metadata") or {}
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != mark}
    meta = {name: value for name, value in (meta | {"labels": labels}).items() if value}
    return template | {"metadata": meta}
