"""Make the object that a create request asks for. Pure: time and the uid are arguments."""

from __future__ import annotations

from grandstand.api import rules
from grandstand.api.change import track
from grandstand.api.refusals import invalid
from grandstand.clock import rfc3339
from grandstand.errors import BadRequest
from grandstand.kinds import Object

from .intake import Write

MOST_NAME = 63
SUFFIX_LENGTH = 5
NAME_ATTEMPTS = 8
"""How often another generated name is tried when one is taken."""

OF_THE_SERVER = (
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


def named(obj: Object, suffix: str) -> Object:
    """The object under its own name, or one generated from `generateName` and random characters."""
    metadata = obj["metadata"]
    if metadata.get("name"):
        return obj
    prefix = metadata["generateName"][: MOST_NAME - SUFFIX_LENGTH]
    return {**obj, "metadata": {**metadata, "name": prefix + suffix}}


def created(write: Write, obj: Object, uid: str, *, tracked: bool = False) -> Object:
    """The object as it will be stored: with defaults, checked, and owned by who sent it.

    `tracked` says that managedFields are in it already, as after a server-side apply. Raises BadRequest and Invalid.
    """
    resource = write.resource
    if obj["metadata"].get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    sent = {name: value for name, value in obj["metadata"].items() if name not in OF_THE_SERVER}
    metadata = {**sent, "uid": uid, "creationTimestamp": rfc3339(write.now)}
    new = rules.prepare_create(resource, {**obj, "metadata": metadata}, write.now)
    if causes := rules.validate(resource, new, None):
        raise invalid(resource, metadata["name"], causes)
    for warning in rules.warnings(resource, new):
        write.warn(warning)
    if tracked:
        return new
    return track(
        write.schemas,
        resource,
        None,
        new,
        manager=write.options.manager,
        operation="Update",
        subresource=write.subresource,
        now=write.now,
    )
