"""Laws of all kinds: defaulting twice changes nothing, inputs stay as they were, no garbage makes a rule raise."""

from __future__ import annotations

import copy
import random
from functools import cache
from typing import Any

import msgspec
import pytest
from api_rules_objects import FINE, NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grandstand.api import rules
from grandstand.api.rules import _RULES
from grandstand.api.schema import Schemas
from grandstand.api.tables import table
from grandstand.errors import Cause
from grandstand.kinds import RESOURCES, Object, Resource

SCHEMAS = Schemas.load()

# Values that some field gives a meaning to, among many that none does.
TEXTS = (
    *(
        "",
        "a",
        "web",
        "Web",
        "a b",
        "a.b",
        "-",
        "é",
        "a" * 300,
        "a/b",
        "a/b/c",
        "=",
        "../a",
        "..a",
        "/",
        "/proc/self",
        "//",
    ),
    *("Always", "Never", "Localhost", "RuntimeDefault", "In", "NotIn", "Exists", "Gt", "Equal", "TCP", "SCTP", "None"),
    *("ClientIP", "ExternalName", "NodePort", "Recreate", "RollingUpdate", "Exact", "Prefix", "IPv4", "IPv6", "Memory"),
    *("Resource", "Object", "Pods", "External", "Utilization", "Opaque", "kubernetes.io/tls", "v1", "metadata.name"),
    *("10%", "101%", "x%", "10.0.0.1", "*.a", "metadata.labels['a']", "limits.cpu", "Bidirectional", "NoExecute"),
    *("kubernetes.io/dockerconfigjson", "HugePages-2Mi", "system-node-critical", "linux", "2026-12-04T20:00:00Z"),
)
NUMBERS = (0, 1, 2, 5, 80, 420, 600, 65535, 65536, -1, 2**31 - 1)
QUANTITIES = ("0", "1", "500m", "128Mi", "-1", "1e3", 1, 0.5)


@cache
def _definition(name: str) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(SCHEMAS.definitions[name])
    return decoded


class Garbage:
    """Writes objects that a schema passes and no person would."""

    def __init__(self, chance: random.Random, full: float) -> None:
        self.chance = chance
        self.full = full

    def struct(self, name: str, depth: int) -> Any:
        return self.value(_definition(name), depth)

    def value(self, schema: dict[str, Any], depth: int) -> Any:
        reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", ())), None)
        if reference:
            return self._referred(reference.rpartition("/")[2], depth)
        match schema.get("type"):
            case "string":
                return "AAAA" if schema.get("format") == "byte" else self.chance.choice(TEXTS)
            case "integer":
                return self.chance.choice(NUMBERS)
            case "number":
                return self.chance.choice((0.0, 0.1, 1.0, 1.5, -1.0))
            case "boolean":
                return self.chance.random() < 0.5
            case "array":
                return [self.value(schema["items"], depth - 1) for _ in range(self.chance.choice((0, 1, 1, 2)))]
            case "object":
                return self._object(schema, depth)
        raise AssertionError(f"no value for {schema}")

    def _referred(self, name: str, depth: int) -> Any:
        if name.endswith((".Time", ".MicroTime")):
            return "2026-12-04T20:00:00Z"
        if name.endswith(".Quantity"):
            return self.chance.choice(QUANTITIES)
        if name.endswith(".IntOrString"):
            return self.chance.choice((*NUMBERS, *TEXTS))
        return {} if name.endswith(".FieldsV1") else self.struct(name, depth)

    def _object(self, schema: dict[str, Any], depth: int) -> Object:
        if values := schema.get("additionalProperties"):
            keys = ("cpu", "memory", *self.chance.choices(TEXTS, k=1))
            return {key: self.value(values, depth - 1) for key in keys if self.chance.random() < self.full}
        properties = schema.get("properties", {}).items()
        return {
            name: self.value(field, depth - 1)
            for name, field in properties
            if depth > 0 and self.chance.random() < self.full and name not in ("status", "managedFields")
        }


@st.composite
def garbage(draw: st.DrawFn, resource: Resource) -> Object:
    """An object of a kind, as the schema lets it through."""
    chance = draw(st.randoms(use_true_random=False))
    name = SCHEMAS.definition_of(resource.api_version, resource.kind)
    obj = Garbage(chance, draw(st.sampled_from((0.2, 0.5, 0.9)))).struct(name, 9)
    obj = {**obj, "apiVersion": resource.api_version, "kind": resource.kind}
    if resource in FINE and draw(st.booleans()):
        obj = _merged(FINE[resource], obj)
    checked = SCHEMAS.check(resource, obj)
    assert not checked.invalid
    return checked.object


def _merged(fine: Any, wrong: Any) -> Any:
    """A fine object with wrong parts: where both have a list, the first elements are merged."""
    if isinstance(fine, dict) and isinstance(wrong, dict):
        return {key: _merged(fine.get(key), wrong.get(key)) for key in fine | wrong}
    if isinstance(fine, list) and isinstance(wrong, list) and fine and wrong:
        return [_merged(fine[0], wrong[0]), *wrong[1:]]
    return fine if wrong is None else wrong


every_resource = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.plural)
often = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_every_resource_has_rules() -> None:
    assert set(RESOURCES) == _RULES.keys()


@every_resource
@often
@given(data=st.data())
def test_defaulting_twice_changes_nothing(resource: Resource, data: st.DataObject) -> None:
    sent = data.draw(garbage(resource))
    before = copy.deepcopy(sent)
    stored = rules.prepare_create(resource, sent, NOW)
    assert sent == before
    assert rules.prepare_create(resource, stored, NOW) == stored


@every_resource
@often
@given(data=st.data())
def test_no_garbage_makes_a_rule_raise(resource: Resource, data: st.DataObject) -> None:
    old = rules.prepare_create(resource, data.draw(garbage(resource)), NOW)
    new = rules.prepare_update(resource, data.draw(garbage(resource)), old, NOW)
    causes = (*rules.validate(resource, old, None), *rules.validate(resource, new, old))
    assert all(isinstance(cause, Cause) and cause.message for cause in causes)
    assert all(isinstance(warning, str) for warning in rules.warnings(resource, new))
    written = rules.prepare_status(resource, new, old)
    assert written.get("spec") == old.get("spec")
    shown = table(resource, [old, new], resource_version="1", include="Metadata", now=NOW)
    assert all(len(row["cells"]) == len(shown["columnDefinitions"]) for row in shown["rows"])


@every_resource
@often
@given(data=st.data())
def test_an_update_without_a_change_changes_nothing(resource: Resource, data: st.DataObject) -> None:
    old = rules.prepare_create(resource, data.draw(garbage(resource)), NOW)
    before = copy.deepcopy(old)
    assert rules.prepare_update(resource, old, old, NOW) == old
    assert old == before
    # Garbage stays as wrong as it was; a Pod in which an image is missing is told so twice.
    added = set(rules.validate(resource, old, old)) - set(rules.validate(resource, old, None))
    assert {cause.message for cause in added} <= {'Invalid value: "": must not be empty'}


@pytest.mark.parametrize("resource", FINE, ids=lambda resource: resource.plural)
def test_fine_objects_are_fine(resource: Resource) -> None:
    assert rules.validate(resource, rules.prepare_create(resource, FINE[resource], NOW), None) == ()
