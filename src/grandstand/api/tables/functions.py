"""Show Functions, their versions, layers and triggers."""

from __future__ import annotations

from typing import Any

from grandstand.kinds import Object

from .layout import AGE, NAME, NONE, Column, Layout, age_of, name_of, part

_IMAGE = Column("Image", "The image of a function that has no runtime here.", wide=True)


def _function(function: Object, now: float) -> list[Any]:
    spec, status = part(function, "spec"), part(function, "status")
    return [
        name_of(function),
        spec.get("runtime") or "image",
        spec.get("handler") or NONE,
        status.get("state") or "Pending",
        status.get("instances") or 0,
        age_of(function, now),
        part(spec, "code").get("image") or NONE,
    ]


def _version(version: Object, now: float) -> list[Any]:
    spec = part(version, "spec")
    return [
        name_of(version),
        spec.get("functionName") or "",
        spec.get("version") or "",
        spec.get("runtime") or "image",
        spec.get("handler") or NONE,
        age_of(version, now),
    ]


def _layer(layer: Object, now: float) -> list[Any]:
    spec = part(layer, "spec")
    return [name_of(layer), spec.get("layerName") or "", spec.get("version") or "", age_of(layer, now)]


def _trigger(trigger: Object, now: float) -> list[Any]:
    spec = part(trigger, "spec")
    source = part(spec, "sqs").get("queueArn") or part(spec, "schedule").get("expression")
    s3 = part(spec, "s3")
    return [
        name_of(trigger),
        ":".join(filter(None, (spec.get("functionName"), spec.get("qualifier")))),
        source or s3.get("bucket") or s3.get("directory") or NONE,
        spec.get("enabled", True),
        age_of(trigger, now),
    ]


_RUNTIME = Column("Runtime", "What runs the code.")
_HANDLER = Column("Handler", "What of the code is called.")
FUNCTIONS = Layout(
    (
        NAME,
        _RUNTIME,
        _HANDLER,
        Column("State", "Whether the function can be invoked."),
        Column("Instances", "How many instances there are.", "integer"),
        AGE,
        _IMAGE,
    ),
    _function,
)
VERSIONS = Layout(
    (
        NAME,
        Column("Function", "The function that was published."),
        Column("Version", "The number of the version."),
        _RUNTIME,
        _HANDLER,
        AGE,
    ),
    _version,
)
LAYERS = Layout(
    (NAME, Column("Layer", "The layer's name."), Column("Version", "The number of the version."), AGE), _layer
)
TRIGGERS = Layout(
    (
        NAME,
        Column("Function", "What is called, with its qualifier."),
        Column("Source", "Where events come from."),
        Column("Enabled", "Whether events are taken.", "boolean"),
        AGE,
    ),
    _trigger,
)
