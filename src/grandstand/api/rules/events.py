"""What the API does with Events."""

from __future__ import annotations

from grandstand.kinds import Object

from . import names
from .fields import Causes, check_choice, check_name, check_required, invalid, part
from .kind_rules import KindRules

_REASON_MAX, _NOTE_MAX = 128, 1024


def _default(event: Object) -> None:
    """The fields that Kubernetes' JSON always has."""
    event.setdefault("source", {})
    event.setdefault("reportingComponent", "")
    event.setdefault("reportingInstance", "")
    event.setdefault("involvedObject", {})


def _check(event: Object) -> Causes:
    namespace = part(event, "metadata").get("namespace") or ""
    about = part(event, "involvedObject").get("namespace") or ""
    # Events about cluster-wide objects live in the namespace "default".
    if about != namespace and not (about == "" and namespace == "default"):
        yield invalid("involvedObject.namespace", about, "does not match event.namespace")
    if event.get("eventTime"):
        yield from _check_new_style(event)


def _check_new_style(event: Object) -> Causes:
    """Events with an eventTime are those of events.k8s.io, where more is required."""
    yield from check_required(event, "", "reportingComponent", "reportingInstance", "action", "reason")
    if controller := event.get("reportingComponent"):
        yield from check_name("reportingController", controller, names.qualified_name(controller))
    for key, limit in (("reportingInstance", _REASON_MAX), ("action", _REASON_MAX), ("reason", _REASON_MAX)):
        if len(event.get(key) or "") > limit:
            yield invalid(key, event[key], f"can have at most {limit} characters")
    if len(event.get("message") or "") > _NOTE_MAX:
        yield invalid("message", event["message"], f"can have at most {_NOTE_MAX} characters")
    yield from check_choice(event, "type", "", ("Normal", "Warning"))


RULES = KindRules(
    default=_default,
    check=_check,
    selectable=frozenset(
        (
            *(f"involvedObject.{key}" for key in ("kind", "namespace", "name", "uid", "apiVersion")),
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source.component",
            "type",
        )
    ),
)
