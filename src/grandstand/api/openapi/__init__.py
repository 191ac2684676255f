"""Describe the API in OpenAPI, for clients that validate, explain and patch by it.

Documents are joined from the schemas' JSON text when they are asked for, and not kept: parsed they would take some ten
times the memory, and clients ask once and cache by the hash in the index.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from grandstand.api.schema import PREFIX, Schemas
from grandstand.errors import NotFound
from grandstand.kinds import Object, Resource

from . import gnostic
from .paths import ALWAYS_SENT, kinds_of, paths_of

__all__ = ["document", "gnostic", "index", "v2", "v2_protobuf"]

VERSION = "v1.37.0"
_REFERENCE = re.compile(rb'"\$ref":"' + PREFIX.encode() + rb'([^"]+)"')
_WRAPPED_REFERENCE = re.compile(rb'"allOf":\[\{("\$ref":"[^"]+")\}\]')
# OpenAPI v2 has no `oneOf`; these are how Kubernetes writes what is a number or text.
_IN_V2 = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": b'{"type":"string"}',
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": b'{"type":"string","format":"int-or-string"}',
}


def index(schemas: Schemas, resources: Sequence[Resource]) -> Object:
    """The answer to `GET /openapi/v3`: where each group version's document is; the URL changes with its content."""
    urls = {}
    for path in sorted({_path_of(resource) for resource in resources}):
        digest = hashlib.sha256(document(schemas, resources, path)).hexdigest()[:32].upper()
        urls[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": urls}


def document(schemas: Schemas, resources: Sequence[Resource], path: str) -> bytes:
    """The OpenAPI v3 document of a group version, by its path: `api/v1`, `apis/apps/v1`. Raises NotFound."""
    mine = [resource for resource in resources if _path_of(resource) == path.strip("/")]
    if not mine:
        raise NotFound(f"there is no OpenAPI document for {path!r}; GET /openapi/v3 lists them")
    paths = {route: entry for resource in mine for route, entry in paths_of(resource, schemas.definition_of).items()}
    head = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": VERSION}, "paths": paths}
    components = b'{"schemas":' + _definitions(schemas, mine) + b"}"
    return _with_member(head, b"components", components)


def v2(schemas: Schemas, resources: Sequence[Resource]) -> bytes:
    """The answer to `GET /openapi/v2`: one Swagger document of all resources, in JSON."""
    found = (paths_of(resource, schemas.definition_of, swagger=True) for resource in resources)
    paths = {route: entry for paths in found for route, entry in paths.items()}
    head = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": VERSION}, "paths": paths}
    text = _with_member(head, b"definitions", _definitions(schemas, resources, _IN_V2))
    return _WRAPPED_REFERENCE.sub(rb"\1", text).replace(PREFIX.encode(), b"#/definitions/")


def v2_protobuf(schemas: Schemas, resources: Sequence[Resource]) -> bytes:
    """The same for Go clients, which take nothing but protobuf here."""
    return gnostic.encode(msgspec.json.decode(v2(schemas, resources)))


def _path_of(resource: Resource) -> str:
    return f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"


def _with_member(head: Object, name: bytes, value: bytes) -> bytes:
    """The JSON of an object with one more member, whose value is JSON already."""
    return msgspec.json.encode(head)[:-1] + b',"' + name + b'":' + value + b"}"


def _definitions(schemas: Schemas, resources: Iterable[Resource], instead: dict[str, bytes] | None = None) -> bytes:
    """The definitions of all kinds that resources take and give, and of all that these refer to."""
    kinds = [kind for resource in resources for kind in kinds_of(resource)]
    waiting = [schemas.definition_of(*kind) for kind in (*kinds, *ALWAYS_SENT)]
    found: dict[str, bytes] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = (instead or {}).get(name) or bytes(schemas.definitions[name])
            waiting.extend(match.decode() for match in _REFERENCE.findall(found[name]))
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + found[name] for name in sorted(found)) + b"}"
