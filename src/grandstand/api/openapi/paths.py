"""The paths of a resource, with what each verb takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grandstand.api.measured import MEASURED
from grandstand.api.schema import PREFIX
from grandstand.kinds import Object, Resource

Kind = tuple[str, str]
"""apiVersion and kind."""

Definition = Callable[[str, str], str]
"""The name of a kind's definition."""

DELETE_OPTIONS: Kind = ("v1", "DeleteOptions")
STATUS: Kind = ("v1", "Status")
ALWAYS_SENT = (DELETE_OPTIONS, STATUS)
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_SUBRESOURCE_KINDS: dict[str, Kind] = {
    "scale": ("autoscaling/v1", "Scale"),
    "binding": ("v1", "Binding"),
    "eviction": ("policy/v1", "Eviction"),
}
# What can be done with a subresource; with all others: get, put and patch.
_SUBRESOURCE_VERBS = {"log": ("get",), "binding": ("post",), "eviction": ("post",), "finalize": ("put",)}

_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = ("labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch")
_WATCH = ("watch", "timeoutSeconds", "allowWatchBookmarks", "sendInitialEvents")
_DELETE = ("dryRun", "gracePeriodSeconds", "propagationPolicy", "orphanDependents")
_QUERY: dict[str, tuple[str, ...]] = {
    "get": (),
    "list": (*_LIST, *_WATCH),
    "post": _WRITE,
    "put": _WRITE,
    "patch": (*_WRITE, "force"),
    "delete": _DELETE,
    "deletecollection": (*_DELETE, *_LIST, "timeoutSeconds"),
}
_WITH_BODY = ("post", "put", "patch")
_LOG = ("container", "follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes")
_TYPES = {
    **dict.fromkeys(("limit", "timeoutSeconds", "gracePeriodSeconds"), "integer"),
    **dict.fromkeys(("sinceSeconds", "tailLines", "limitBytes"), "integer"),
    **dict.fromkeys(("watch", "allowWatchBookmarks", "sendInitialEvents", "force", "orphanDependents"), "boolean"),
    **dict.fromkeys(("follow", "previous", "timestamps"), "boolean"),
}


def kinds_of(resource: Resource) -> list[Kind]:
    """The kinds of a resource's bodies and answers."""
    own = [(resource.api_version, resource.kind), (resource.api_version, f"{resource.kind}List")]
    return own + [_SUBRESOURCE_KINDS[name] for name in resource.subresources if name in _SUBRESOURCE_KINDS]


def paths_of(resource: Resource, definition: Definition, *, swagger: bool = False) -> dict[str, Object]:
    """OpenAPI path items of a resource; `swagger` writes them as version 2 does."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    listed = (resource.api_version, f"{resource.kind}List")
    own = (resource.api_version, resource.kind)
    write = _Writer(resource, definition, swagger)
    collection = f"{scope}/{resource.plural}"
    paths = {
        collection: write.item(
            collection, {"get": ("list", listed), "post": ("post", own), "delete": ("deletecollection", STATUS)}
        ),
        f"{collection}/{{name}}": write.item(
            f"{collection}/{{name}}", {verb: (verb, own) for verb in ("get", "put", "patch", "delete")}
        ),
    }
    for name in resource.subresources:
        path = f"{collection}/{{name}}/{name}"
        kind = _SUBRESOURCE_KINDS.get(name, own)
        verbs = _SUBRESOURCE_VERBS.get(name, ("get", "put", "patch"))
        paths[path] = write.item(path, {verb: (verb, kind) for verb in verbs})
    if resource in MEASURED:
        paths = {path: {k: item[k] for k in item.keys() & {"get", "parameters"}} for path, item in paths.items()}
    if resource.namespaced:
        everywhere = f"{root}/{resource.plural}"
        paths[everywhere] = write.item(everywhere, {"get": ("list", listed)})
    return paths


class _Writer:
    """Writes path items of one resource."""

    def __init__(self, resource: Resource, definition: Definition, swagger: bool) -> None:
        self._resource = resource
        self._definition = definition
        self._swagger = swagger

    def item(self, path: str, verbs: dict[str, tuple[str, Kind]]) -> Object:
        """One path with its methods: method -> (action, kind of the answer)."""
        operations = {method: self._operation(path, action, kind) for method, (action, kind) in verbs.items()}
        inside = [self._parameter(name, "path") for name in ("namespace", "name") if f"{{{name}}}" in path]
        return {**operations, **({"parameters": inside} if inside else {})}

    def _operation(self, path: str, action: str, kind: Kind) -> Object:
        query = _LOG if path.endswith("/log") else _QUERY[action]
        if self._resource in MEASURED:
            query = tuple(name for name in query if name not in _WATCH)
        gvk = (
            kind if kind not in ALWAYS_SENT and action != "list" else (self._resource.api_version, self._resource.kind)
        )
        group, _, version = gvk[0].rpartition("/")
        return {
            "operationId": _operation_id(action, path),
            "parameters": [self._parameter(name, "query") for name in query] + self._body_parameter(action, kind),
            **self._body(action, kind),
            "responses": self._responses(path, action, kind),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": gvk[1]},
        }

    def _parameter(self, name: str, place: str) -> Object:
        type_ = {"type": _TYPES.get(name, "string")}
        schema = type_ if self._swagger else {"schema": {**type_, "uniqueItems": True}}
        return {"name": name, "in": place, **schema, **({"required": True} if place == "path" else {})}

    def _schema(self, kind: Kind) -> Object:
        return {"$ref": PREFIX + self._definition(*kind)}

    def _request(self, action: str, kind: Kind) -> Any:
        """The schema of a request's body, or None where there is none."""
        match action:
            case "post" | "put":
                return self._schema(kind)
            case "patch":
                return {"type": "object"}
            case "delete" | "deletecollection":
                return self._schema(DELETE_OPTIONS)
        return None

    def _body_parameter(self, action: str, kind: Kind) -> list[Object]:
        schema = self._request(action, kind)
        if not self._swagger or schema is None:
            return []
        required = {"required": True} if action in _WITH_BODY else {}
        return [{"name": "body", "in": "body", "schema": schema, **required}]

    def _body(self, action: str, kind: Kind) -> Object:
        schema = self._request(action, kind)
        media = _PATCHES if action == "patch" else ("*/*",)
        if schema is None:
            return {}
        if self._swagger:
            return {"consumes": list(media)}
        return {"requestBody": {"content": {type_: {"schema": schema} for type_ in media}}}

    def _responses(self, path: str, action: str, kind: Kind) -> Object:
        answer: Any = {"type": "string"} if path.endswith("/log") else self._schema(kind)
        media = "text/plain" if path.endswith("/log") else "application/json"
        content = {"schema": answer} if self._swagger else {"content": {media: {"schema": answer}}}
        codes = ["200", *(["201"] if action in _WITH_BODY else [])]
        return {code: {"description": "OK" if code == "200" else "Created", **content} for code in codes}


def _operation_id(action: str, path: str) -> str:
    """Unique in a document: the action and the path without its braces and slashes."""
    words = "".join(word.strip("{}").capitalize() for word in path.replace(".", "/").replace("-", "/").split("/"))
    return f"{action}{words}"
