"""Write OpenAPI definitions by hand, for kinds that are not Kubernetes' own."""

from __future__ import annotations

from collections.abc import Mapping

from grandstand.kinds import Object

STRING: Object = {"type": "string"}
INTEGER: Object = {"type": "integer", "format": "int32"}
LONG: Object = {"type": "integer", "format": "int64"}
NUMBER: Object = {"type": "number", "format": "double"}
BOOLEAN: Object = {"type": "boolean"}
ANYTHING: Object = {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
ANY_LIST: Object = {"type": "array", "items": ANYTHING}


def reference(name: str) -> Object:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}


def struct(**fields: Object) -> Object:
    return {"type": "object", "properties": fields}


def list_of(item: Object) -> Object:
    return {"type": "array", "items": item}


def map_of(value: Object) -> Object:
    return {"type": "object", "additionalProperties": value}


META = reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
LIST_META = reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")


def kinds_of(prefix: str, group: str, version: str, kinds: Mapping[str, tuple[Object, bool]]) -> dict[str, Object]:
    """The definitions of kinds and of their lists, by name; `kinds` gives the spec, and whether there is a status."""
    found: dict[str, Object] = {}
    for kind, (spec, has_status) in kinds.items():
        status = {"status": ANYTHING} if has_status else {}
        schema = struct(apiVersion=STRING, kind=STRING, metadata=META, spec=spec, **status)
        found[prefix + kind] = _marked(schema, group, version, kind)
        items = list_of({"$ref": f"#/components/schemas/{prefix}{kind}"})
        listed = struct(apiVersion=STRING, kind=STRING, metadata=LIST_META, items=items)
        found[f"{prefix}{kind}List"] = _marked(listed, group, version, f"{kind}List")
    return found


def _marked(schema: Object, group: str, version: str, kind: str) -> Object:
    marker = {"group": group, "kind": kind, "version": version}
    return {
        **schema,
        "x-kubernetes-group-version-kind": [marker],
        "required": ["spec"] if "spec" in schema["properties"] else ["items"],
    }
