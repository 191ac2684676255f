"""Refuse a request in the words that Kubernetes has for it, which people search for and programs match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from grandstand.errors import (
    AlreadyExists,
    Cause,
    Conflict,
    Forbidden,
    GrandstandError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    TimedOut,
)
from grandstand.kinds import Resource

E = TypeVar("E", bound=GrandstandError)

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def about(error: E, resource: Resource, name: str) -> E:
    """Say in the error's details which object it is about."""
    error.details = {"name": name, **({"group": resource.group} if resource.group else {}), "kind": resource.plural}
    return error


def not_found(resource: Resource, name: str) -> NotFound:
    return about(NotFound(f'{resource.qualified} "{name}" not found'), resource, name)


def already_exists(resource: Resource, name: str) -> AlreadyExists:
    return about(AlreadyExists(f'{resource.qualified} "{name}" already exists'), resource, name)


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> Conflict:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return about(Conflict(message), resource, name)


def forbidden(resource: Resource, name: str, why: str, causes: tuple[Cause, ...] = ()) -> Forbidden:
    error = about(Forbidden(f'{resource.qualified} "{name}" is forbidden: {why}'), resource, name)
    if causes and error.details is not None:
        error.details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return error


def invalid(resource: Resource, name: str, causes: Iterable[Cause]) -> Invalid:
    """`Deployment.apps "x" is invalid: spec.selector: Required value`; several causes stand in brackets."""
    causes = tuple(causes)
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    lines = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    error = Invalid(f'{kind} "{name}" is invalid: {text}', causes)
    error.details = {
        "name": name,
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.kind,
    }
    return error


def method_not_allowed(resource: Resource) -> MethodNotAllowed:
    return about(MethodNotAllowed("the server does not allow this method on the requested resource"), resource, "")


def too_new(wanted: int, newest: int) -> TimedOut:
    """For a resourceVersion that this store has not reached; clients list again without one."""
    error = TimedOut(f"Too large resource version: {wanted}, current: {newest}")
    error.details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return error
