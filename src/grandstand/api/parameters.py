"""Read the query parameters of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from grandstand.client import DeleteOptions, WriteOptions
from grandstand.errors import BadRequest
from grandstand.kinds import Resource

from .lists import Filter, ListOptions
from .registry.pods import DeleteBody, is_dry_run, read
from .watches import WatchOptions

if TYPE_CHECKING:
    from multidict import MultiMapping

FIELD_VALIDATION = ("Strict", "Warn", "Ignore")
MOST_MANAGER = 128
DEFAULT_WATCH_SECONDS = 1800.0
"""How long a watch lasts that does not say so; the client then goes on from where it was."""


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter: present without a value counts as true, as in Kubernetes."""
    return name in query and query[name].lower() not in ("false", "0", "f")


def whole_number(query: Mapping[str, str], name: str, least: int = 0) -> int | None:
    """A whole number, None where it is not given. Raises BadRequest."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.lstrip("-").isdigit() and len(text) < 19):
        raise BadRequest(f"{name} must be a whole number, not {text!r}")
    value = int(text)
    if value < least:
        raise BadRequest(f"{name} must be at least {least}, not {value}")
    return value


def selection(resource: Resource, query: Mapping[str, str], name: str = "") -> Filter:
    """The selectors of a request; a list or watch addressed to one object selects that one."""
    fields = query.get("fieldSelector", "")
    if name:
        fields = ",".join(part for part in (fields, f"metadata.name={name}") if part)
    return Filter.parse(resource, query.get("labelSelector", ""), fields)


def list_options(resource: Resource, query: Mapping[str, str]) -> ListOptions:
    return ListOptions(
        selection(resource, query),
        whole_number(query, "limit") or 0,
        query.get("continue", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
    )


def watch_options(resource: Resource, query: Mapping[str, str], name: str = "") -> WatchOptions:
    seconds = whole_number(query, "timeoutSeconds")
    return WatchOptions(
        selection(resource, query, name),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
        flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
        flag(query, "allowWatchBookmarks"),
        float(seconds) if seconds else DEFAULT_WATCH_SECONDS,
    )


def write_options(query: MultiMapping[str], user_agent: str, *, apply: bool = False) -> WriteOptions:
    """How an object is to be written, and by whom: `fieldManager`, or the first word of the User-Agent."""
    manager = query.get("fieldManager", "")
    if apply and not manager:
        raise BadRequest(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        )
    if len(manager) > MOST_MANAGER or not manager.isprintable():
        raise BadRequest(f"fieldManager must be at most {MOST_MANAGER} printable characters")
    validation = query.get("fieldValidation") or "Warn"
    if validation not in FIELD_VALIDATION:
        raise BadRequest(f"fieldValidation must be one of {', '.join(FIELD_VALIDATION)}, not {validation!r}")
    if "force" in query and not apply:
        raise BadRequest("force may only be used with server-side apply")
    return WriteOptions(
        manager or user_agent.split("/", 1)[0][:MOST_MANAGER] or "unknown",
        is_dry_run(query.getall("dryRun", [])),
        flag(query, "force"),
        validation,
    )


def delete_options(query: MultiMapping[str], body: object) -> DeleteOptions:
    """How an object is to be deleted: from the body where there is one, else from the query."""
    if body:
        return read(body, DeleteBody).options()
    policy = query.get("propagationPolicy")
    orphan = flag(query, "orphanDependents") if "orphanDependents" in query else None
    sent = {
        "gracePeriodSeconds": whole_number(query, "gracePeriodSeconds", least=-1),
        "propagationPolicy": policy,
        "orphanDependents": orphan,
        "dryRun": query.getall("dryRun", []),
    }
    return read(sent, DeleteBody).options()
