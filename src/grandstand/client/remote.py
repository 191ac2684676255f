"""The client of an API server elsewhere, over HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType

import msgspec

from grandstand.errors import BadRequest, PeerError
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import PODS

from . import (
    DEFAULT_DELETE,
    DEFAULT_WRITE,
    DeleteOptions,
    JSONPatch,
    ObjectList,
    PatchType,
    WatchEvent,
    WriteOptions,
)
from .kubeconfig import Connection, load
from .paths import delete_body, list_query, object_path, path_of, write_query
from .replies import Lines, event_of, warnings_of
from .transport import JSON, Request, Transport, until_broken

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
WATCH_SECONDS = 300
"""A watch is asked to end after so long, and taken for dead a while later: a peer that vanished says nothing."""


class RemoteClient:
    """A `Client` over HTTPS; use it as an async context manager."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport = Transport(connection)

    @classmethod
    def from_kubeconfig(cls, path: Path, context: str | None = None) -> RemoteClient:
        """Raises BadRequest where the file gives no usable connection."""
        return cls(load(path, context))

    async def __aenter__(self) -> RemoteClient:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def get(self, resource: Resource, namespace: str, name: str, *, subresource: str = "") -> Object:
        return await self._call("GET", object_path(resource, namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> ObjectList:
        query = list_query(labels, fields, limit=limit, **{"continue": continue_token})
        found = await self._call("GET", path_of(resource, namespace), query)
        # Kubernetes leaves apiVersion and kind out of the items of a list.
        items = [
            {"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in found.get("items") or []
        ]
        meta = found.get("metadata") or {}
        return ObjectList(items, meta.get("resourceVersion", ""), meta.get("continue", ""))

    async def table(
        self, resource: Resource, namespace: str = "", name: str = "", *, labels: str = "", fields: str = ""
    ) -> Object:
        """The `meta.k8s.io/v1 Table` of an object, or of all, as the server would have them shown."""
        query = list_query(labels, fields)
        return await self._call("GET", path_of(resource, namespace, name), query, accept=f"{TABLE},{JSON}")

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        bookmarks: bool = False,
    ) -> AsyncIterator[WatchEvent]:
        query = list_query(
            labels,
            fields,
            watch=True,
            resourceVersion=resource_version,
            allowWatchBookmarks=bookmarks,
            timeoutSeconds=WATCH_SECONDS,
        )
        request = Request(
            "GET",
            path_of(resource, namespace),
            query,
            answer_seconds=None,
            silence_seconds=WATCH_SECONDS * 1.1,
        )
        lines = Lines()
        async with self._transport.send(request) as reply:
            async for chunk in until_broken(reply):
                for line in lines.feed(chunk):
                    yield event_of(line)

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
        where = namespace or obj.get("metadata", {}).get("namespace", "")
        if resource.namespaced and not where:
            raise BadRequest(f"a {resource.kind} is created in a namespace: name it in metadata.namespace")
        path = path_of(resource, where, name, subresource)
        return await self._call("POST", path, write_query(options), obj, options=options)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", options: WriteOptions = DEFAULT_WRITE
    ) -> Object:
        meta = obj.get("metadata", {})
        path = object_path(resource, meta.get("namespace", ""), meta.get("name", ""), subresource)
        return await self._call("PUT", path, write_query(options), obj, options=options)

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
    ) -> Object:
        path = object_path(resource, namespace, name, subresource)
        query = write_query(options, type)
        return await self._call("PATCH", path, query, patch, content_type=type.value, options=options)

    async def delete(
        self, resource: Resource, namespace: str, name: str, options: DeleteOptions = DEFAULT_DELETE
    ) -> Object:
        path = object_path(resource, namespace, name)
        reply = await self._call("DELETE", path, body=delete_body(options))
        if reply.get("kind") != "Status":
            return reply
        # What is gone at once is answered with a Status: all that is left of the object is who it was.
        uid = (reply.get("details") or {}).get("uid")
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | ({"uid": uid} if uid else {})
        return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}

    async def pod_logs(
        self,
        namespace: str,
        name: str,
        *,
        container: str = "",
        follow: bool = False,
        previous: bool = False,
        since_seconds: int | None = None,
        since_time: str | None = None,
        tail_lines: int | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[bytes]:
        """What a container wrote, in chunks as they come. Raises Unavailable when the connection breaks."""
        query = list_query("", "", container=container, follow=follow, previous=previous, timestamps=timestamps)
        limits = {"sinceSeconds": since_seconds, "sinceTime": since_time, "tailLines": tail_lines}
        query |= {option: str(value) for option, value in limits.items() if value is not None}
        path = object_path(PODS, namespace, name, "log")
        async with self._transport.send(Request("GET", path, query, accept="*/*", answer_seconds=None)) as reply:
            async for chunk in reply.content.iter_any():
                yield chunk

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        """Send any request, and return the body of the answer. Raises what a code from 400 on stands for."""
        async with self._transport.send(Request(method, path, query or {}, body, content_type, accept)) as reply:
            return await reply.read()

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | JSONPatch | None = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        options: WriteOptions = DEFAULT_WRITE,
    ) -> Object:
        data = None if body is None else msgspec.json.encode(body)
        async with self._transport.send(Request(method, path, query or {}, data, content_type, accept)) as reply:
            content = await reply.read()
            if options is not DEFAULT_WRITE:  # which all callers share
                options.warnings.extend(warnings_of(reply.headers.getall("Warning", [])))
        try:
            return msgspec.json.decode(content, type=Object)
        except msgspec.DecodeError as error:
            raise PeerError(
                f"{method} {self.connection.server}{path} was answered with no JSON object: {content[:200]!r}. "
                "Is this the address of a Kubernetes API server?"
            ) from error
