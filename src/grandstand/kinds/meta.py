"""What all API objects share: the JSON edge, metadata, selectors, conditions."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

Object = dict[str, Any]
"""An API object as JSON gives it. Objects that come from a client or cache are shared: copy before changing."""


class View(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A typed, read-only view of some part of an API object; fields that it does not name are left out."""


class Key(NamedTuple):
    """An object's namespace ("" for cluster-wide ones) and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class OwnerReference(View, frozen=True):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class Meta(View, frozen=True):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[OwnerReference] = []
    finalizers: list[str] = []

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Condition(View, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_update_time: str | None = None
    observed_generation: int | None = None


class LabelSelectorRequirement(View, frozen=True):
    key: str
    operator: str
    values: list[str] = []


class LabelSelector(View, frozen=True):
    match_labels: dict[str, str] = {}
    match_expressions: list[LabelSelectorRequirement] = []


_SETS = re.compile(r"(.+) (in|notin) \((.*)\)")


def label_selector_in(text: str) -> LabelSelector:
    """The LabelSelector of its text in a status: `key=value`, `key in (a,b)`, `key notin (a,b)`, `key`, `!key`."""
    labels: dict[str, str] = {}
    expressions: list[LabelSelectorRequirement] = []
    for clause in filter(None, re.split(r",(?![^(]*\))", text)):
        if found := _SETS.fullmatch(clause):
            operator = "In" if found[2] == "in" else "NotIn"
            expressions.append(LabelSelectorRequirement(key=found[1], operator=operator, values=found[3].split(",")))
        elif "=" in clause:
            key, _, value = clause.partition("=")
            labels[key] = value
        else:
            key = clause.removeprefix("!")
            operator = "Exists" if key == clause else "DoesNotExist"
            expressions.append(LabelSelectorRequirement(key=key, operator=operator))
    return LabelSelector(match_labels=labels, match_expressions=expressions)


def key_of(obj: Object) -> Key:
    """The key of an API object."""
    meta = obj["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


def uid_of(obj: Object) -> str:
    return str(obj["metadata"]["uid"])


def is_deleting(obj: Object) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None
