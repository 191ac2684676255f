"""What the kinds of `metrics.k8s.io` look like: nobody writes them, `kubectl explain` shows them."""

from __future__ import annotations

from grandstand.kinds import Object

from .argo import TIME
from .written import LIST_META, META, STRING

PREFIX = "io.k8s.metrics.pkg.apis.metrics.v1beta1."
GROUP, VERSION = "metrics.k8s.io", "v1beta1"

_QUANTITY: Object = {"allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}]}
_USAGE: Object = {
    "type": "object",
    "description": "What is used: cpu as a mean over the window, memory as the working set at its end.",
    "additionalProperties": _QUANTITY,
}
_TIMES: Object = {
    "timestamp": TIME | {"description": "The end of the window."},
    "window": STRING | {"description": "How long was measured, e.g. 3.000s."},
}
_CONTAINER: Object = {
    "type": "object",
    "properties": {"name": STRING | {"description": "The container's name."}, "usage": _USAGE},
    "required": ["name", "usage"],
}
_CONTAINERS: Object = {"type": "array", "description": "What each container that runs uses.", "items": _CONTAINER}
_KINDS: dict[str, tuple[str, Object]] = {
    "PodMetrics": ("What the containers of a Pod use.", {"containers": _CONTAINERS}),
    "NodeMetrics": ("What a whole Node uses.", {"usage": _USAGE}),
}


def definitions() -> dict[str, Object]:
    """The definitions of both kinds and of their lists, by name."""
    found: dict[str, Object] = {}
    for kind, (told, fields) in _KINDS.items():
        found[PREFIX + kind] = _kind(kind, told, META, {**_TIMES, **fields})
        items = {"type": "array", "items": {"$ref": f"#/components/schemas/{PREFIX}{kind}"}}
        found[f"{PREFIX}{kind}List"] = _kind(f"{kind}List", f"Many {kind}.", LIST_META, {"items": items})
    return found


def _kind(kind: str, told: str, meta: Object, fields: Object) -> Object:
    return {
        "type": "object",
        "description": told,
        "properties": {"apiVersion": STRING, "kind": STRING, "metadata": meta, **fields},
        "required": sorted(fields),
        "x-kubernetes-group-version-kind": [{"group": GROUP, "kind": kind, "version": VERSION}],
    }
