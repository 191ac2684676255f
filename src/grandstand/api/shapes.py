"""Show objects, lists and watch events in the shape that a client accepts; plain ones from bytes already encoded."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from grandstand.client import EventType
from grandstand.errors import BadRequest, GrandstandError, status_of
from grandstand.kinds import Object, Resource

from .lists import Page
from .negotiation import Shape
from .store import Stored
from .tables import table
from .watches import Event

INCLUDE = ("None", "Metadata", "Object")
_FRAMES = {kind: b'{"type":"' + kind.encode() + b'","object":' for kind in EventType}


@dataclass(slots=True)
class Presenter:
    """Shapes for one answer. `include` says what a table's rows carry of their objects; `now` is for ages."""

    resource: Resource
    shape: Shape
    now: float
    include: str = "Metadata"
    _columns_sent: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if self.include not in INCLUDE:
            raise BadRequest(f"includeObject must be one of {', '.join(INCLUDE)}, not {self.include!r}")

    def single(self, stored: Stored) -> bytes:
        match self.shape:
            case Shape.TABLE:
                return msgspec.json.encode(self._table([stored.object], str(stored.revision)))
            case Shape.METADATA:
                return msgspec.json.encode(_partial(stored.object))
            case _:
                return stored.encoded

    def page(self, page: Page) -> bytes:
        if self.shape is Shape.TABLE:
            return msgspec.json.encode(self._table_of(page))
        meta: Object = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            meta["continue"] = page.continue_token
        if page.remaining is not None:
            meta["remainingItemCount"] = page.remaining
        if self.shape is Shape.METADATA:
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
            items = [msgspec.json.encode(_partial(item.object)) for item in page.items]
        else:
            head = {"kind": f"{self.resource.kind}List", "apiVersion": self.resource.api_version, "metadata": meta}
            items = [item.encoded for item in page.items]
        return b"".join((msgspec.json.encode(head)[:-1], b',"items":[', b",".join(items), b"]}"))

    def event(self, event: Event, now: float) -> bytes:
        """One line of a watch."""
        self.now = now
        return _FRAMES[event.type] + self._event_object(event) + b"}\n"

    def _event_object(self, event: Event) -> bytes:
        if self.shape is Shape.TABLE:
            shown = [] if event.type is EventType.BOOKMARK else [event.object]
            rows = self._table(shown, event.object["metadata"]["resourceVersion"])
            if event.type is EventType.BOOKMARK:
                rows["metadata"] = event.object["metadata"]
            if self._columns_sent:
                rows["columnDefinitions"] = None
            self._columns_sent = True
            return msgspec.json.encode(rows)
        if self.shape is Shape.METADATA:
            return msgspec.json.encode(_partial(event.object))
        return event.encoded

    def _table_of(self, page: Page) -> Object:
        return table(
            self.resource,
            [item.object for item in page.items],
            resource_version=str(page.revision),
            include=self.include,
            now=self.now,
            continue_token=page.continue_token,
            remaining=page.remaining,
        )

    def _table(self, objects: list[Object], version: str) -> Object:
        return table(self.resource, objects, resource_version=version, include=self.include, now=self.now)


def error_event(error: GrandstandError) -> bytes:
    """The last line of a watch that failed."""
    return b'{"type":"ERROR","object":' + msgspec.json.encode(status_of(error)) + b"}\n"


def _partial(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
