"""OpenAPI documents: complete, without dangling references, with what kubectl looks for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from grandstand.api import openapi
from grandstand.api.schema import Schemas
from grandstand.errors import NotFound
from grandstand.kinds import RESOURCES, Resource
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS

SCHEMAS = Schemas.load()
PATHS = sorted(openapi.index(SCHEMAS, RESOURCES)["paths"])


def document(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(openapi.document(SCHEMAS, RESOURCES, path))
    return loaded


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def test_the_index_lists_every_group_version_with_a_hash() -> None:
    paths = openapi.index(SCHEMAS, RESOURCES)["paths"]
    expected = {f"apis/{r.group}/{r.version}" if r.group else f"api/{r.version}" for r in RESOURCES}
    assert set(paths) == expected
    for path, entry in paths.items():
        assert re.fullmatch(rf"/openapi/v3/{re.escape(path)}\?hash=[0-9A-F]{{32}}", entry["serverRelativeURL"])


def test_the_hash_changes_with_the_content() -> None:
    def url(resources: tuple[Resource, ...]) -> str:
        return str(openapi.index(SCHEMAS, resources)["paths"]["api/v1"]["serverRelativeURL"])

    assert url(RESOURCES) == url(RESOURCES)
    assert url(RESOURCES) != url((CONFIG_MAPS,))


@pytest.mark.parametrize("path", PATHS)
def test_documents_have_no_dangling_references_and_no_null_types(path: str) -> None:
    loaded = document(path)
    known = {f"#/components/schemas/{name}" for name in loaded["components"]["schemas"]}
    assert references(loaded) <= known
    assert '"null"' not in json.dumps(loaded)


def test_operation_ids_are_unique_and_path_parameters_declared() -> None:
    for path in PATHS:
        operations = [
            (route, entry, operation)
            for route, entry in document(path)["paths"].items()
            for method, operation in entry.items()
            if method != "parameters"
        ]
        ids = [operation["operationId"] for _, _, operation in operations]
        assert len(ids) == len(set(ids))
        for route, entry, _ in operations:
            declared = {parameter["name"] for parameter in entry.get("parameters", ())}
            assert declared == set(re.findall(r"{(\w+)}", route))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.qualified)
def test_kubectl_finds_the_patch_of_every_resource(resource: Resource) -> None:
    root = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
    scope = f"/{root}/namespaces/{{namespace}}" if resource.namespaced else f"/{root}"
    patch = document(root)["paths"][f"{scope}/{resource.plural}/{{name}}"]["patch"]
    assert {"fieldValidation", "fieldManager", "force", "dryRun"} <= {p["name"] for p in patch["parameters"]}
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": resource.group,
        "version": resource.version,
        "kind": resource.kind,
    }
    assert set(patch["requestBody"]["content"]) == {
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    }


def test_schemas_are_marked_with_their_kind() -> None:
    schema = document("apis/apps/v1")["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "apps", "version": "v1", "kind": "Deployment"}]
    assert schema["properties"]["spec"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}]
    assert schema["description"].startswith("Deployment enables declarative updates")


def test_an_unknown_group_version_is_not_found() -> None:
    with pytest.raises(NotFound):
        openapi.document(SCHEMAS, RESOURCES, "apis/rockets/v1")


def test_our_own_kinds_appear() -> None:
    plan = Resource("grandstand.dev", "v1alpha1", "plans", "Plan")
    markers = [
        {"x-kubernetes-group-version-kind": [{"group": "grandstand.dev", "version": "v1alpha1", "kind": kind}]}
        for kind in ("Plan", "PlanList")
    ]
    item = {"type": "object", "properties": {"spec": {"type": "object"}}}
    schemas = Schemas.load({"dev.Plan": item | markers[0], "dev.PlanList": item | markers[1]})
    loaded = json.loads(openapi.document(schemas, [*RESOURCES, plan], "apis/grandstand.dev/v1alpha1"))
    assert "dev.Plan" in loaded["components"]["schemas"]
    assert "/apis/grandstand.dev/v1alpha1/namespaces/{namespace}/plans/{name}" in loaded["paths"]


def test_version_2_has_no_dangling_references_and_nothing_of_version_3() -> None:
    loaded = json.loads(openapi.v2(SCHEMAS, RESOURCES))
    assert loaded["swagger"] == "2.0"
    assert references(loaded) <= {f"#/definitions/{name}" for name in loaded["definitions"]}
    text = json.dumps(loaded)
    assert not [word for word in ("allOf", "oneOf", "components", "requestBody") if f'"{word}"' in text]
    assert loaded["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] == {
        "type": "string",
        "format": "int-or-string",
    }
    assert f"/apis/apps/v1/namespaces/{{namespace}}/{DEPLOYMENTS.plural}/{{name}}/scale" in loaded["paths"]
