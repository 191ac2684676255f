"""The only door to the API: the same calls in process (`api.embedded`), over HTTPS (`client.remote`), and faked.

All objects go in and come out as JSON (`kinds.Object`). What comes out may be shared with caches: copy before changing.
Every call raises the errors of `errors.py` that the API would answer with: NotFound, AlreadyExists, Conflict, Invalid…
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from grandstand.kinds import Object, Resource


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change of an object; the object is as it was after the change (for DELETED: when it was last seen)."""

    type: EventType
    object: Object


@dataclass(frozen=True, slots=True)
class ObjectList:
    """Objects, and the resourceVersion at which they were listed: watch from there to miss nothing."""

    items: list[Object]
    resource_version: str
    continue_token: str = ""


class PatchType(StrEnum):
    """The Content-Type that says how a patch is to be read."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(StrEnum):
    """What becomes of the objects that a deleted object owns."""

    ORPHAN = "Orphan"
    BACKGROUND = "Background"
    FOREGROUND = "Foreground"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`grace_seconds` None means the object's own; `uid` and `resource_version` are preconditions (else Conflict)."""

    grace_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    propagation: Propagation | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """`manager` is recorded in managedFields; `force` takes fields over from other managers (server-side apply)."""

    manager: str = "grandstand"
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)


JSONPatch = list[Object]
"""The operations of a JSON patch (RFC 6902)."""

DEFAULT_WRITE = WriteOptions()
DEFAULT_DELETE = DeleteOptions()


class Client(Protocol):
    """What controllers, the node, the gateway and the command line do with the API.

    `namespace` is "" for cluster-wide resources, and for all namespaces in `list` and `watch`.
    `subresource` is "", "status", "scale", "binding" or another that the resource has.
    """

    async def get(self, resource: Resource, namespace: str, name: str, *, subresource: str = "") -> Object: ...

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList: ...

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        bookmarks: bool = False,
    ) -> AsyncIterator[WatchEvent]:
        """Yield every change after `resource_version`, in order; raise Expired where history no longer reaches back.

        Ends without an error when the server closes the stream: go on from the last version seen.
        """

    async def create(
        self,
        resource: Resource,
        obj: Object,
        *,
        namespace: str = "",
        subresource: str = "",
        name: str = "",
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object:
        """Create an object, by default in its own namespace. `name` is for subresources (binding, eviction)."""

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = DEFAULT_WRITE
    ) -> Object:
        """Replace an object. With a resourceVersion in it, raise Conflict when it was changed since."""

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Object | JSONPatch,
        type: PatchType = PatchType.MERGE,  # noqa: A002
        *,
        subresource: str = "",
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object: ...

    async def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = DEFAULT_DELETE
    ) -> Object:
        """Start to delete an object, and return it as it is then (with a deletionTimestamp, or as it last was)."""
