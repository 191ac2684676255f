from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.kinds import Object, Pod, Service, view
from grandstand.node.environment import MissingSource, Sources, environment, expand, referenced
from grandstand.node.fields import NoSuchField, Place, field_value

PLACE = Place("node", "10.0.0.1", "10.0.0.7", memory_bytes=8 * 1024**3, cpu_millicores=2000)


def pod(container: Object, **spec: Any) -> Pod:
    meta = {
        "name": "web", "namespace": "shop", "uid": "u-1",
        "labels": {"app": "web"}, "annotations": {"note": 'say "hi"\n'},
    }  # fmt: skip
    body = {"nodeName": "node", "containers": [{"name": "app", **container}], **spec}
    return view(Pod, {"metadata": meta, "spec": body})


def secret(**values: str) -> Object:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


SOURCES = Sources(
    {"settings": {"data": {"COLOUR": "red", "1st": "x", "with space": "y", "a=b": "z"}}, "gone": None},
    {"key": secret(TOKEN="s3cret")},
)


def variables(container: Object, sources: Sources = SOURCES, **spec: Any) -> dict[str, str]:
    wanted = pod(container, **spec)
    return dict(environment(wanted, wanted.spec.containers[0], sources, PLACE).variables)


def source(kind: str, **fields: Any) -> Object:
    return {"env": [{"name": "X", "valueFrom": {kind: fields}}]}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"env": [{"name": "X", "value": "1"}]}, {"X": "1"}),
        ({"env": [{"name": "X"}]}, {"X": ""}),
        (source("configMapKeyRef", name="settings", key="COLOUR"), {"X": "red"}),
        (source("secretKeyRef", name="key", key="TOKEN"), {"X": "s3cret"}),
        (source("configMapKeyRef", name="gone", key="COLOUR", optional=True), {}),
        (source("configMapKeyRef", name="settings", key="SIZE", optional=True), {}),
        (source("fieldRef", fieldPath="status.podIP"), {"X": "10.0.0.7"}),
        (source("fieldRef", fieldPath="metadata.labels['app']"), {"X": "web"}),
        (source("fieldRef", fieldPath="metadata.labels['none']"), {"X": ""}),
        (source("resourceFieldRef", resource="limits.memory", divisor="1Mi"), {"X": "8192"}),
        (source("resourceFieldRef", resource="requests.cpu"), {"X": "0"}),
        ({"envFrom": [{"secretRef": {"name": "key"}, "prefix": "A_"}]}, {"A_TOKEN": "s3cret"}),
        ({"envFrom": [{"configMapRef": {"name": "gone", "optional": True}}]}, {}),
        (
            {"envFrom": [{"secretRef": {"name": "key"}}], "env": [{"name": "TOKEN", "value": "mine"}]},
            {"TOKEN": "mine"},
        ),
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(C)-$$(A)"}, {"name": "C"}]},
            {"A": "1", "B": "1-$(C)-$(A)", "C": ""},
        ),
    ],
    ids=[
        "value", "empty", "config map", "secret", "optional object", "optional key", "address", "label", "no label",
        "memory of the node", "cpu request", "all with a prefix", "all optional", "env wins", "expansion in order",
    ],
)  # fmt: skip
def test_environment(container: Object, expected: dict[str, str]) -> None:
    assert variables(container) == expected


def test_keys_that_cannot_be_names_are_left_out_and_said() -> None:
    wanted = pod({"envFrom": [{"configMapRef": {"name": "settings"}}]})
    found = environment(wanted, wanted.spec.containers[0], SOURCES, PLACE)
    assert found.variables == {"COLOUR": "red", "1st": "x", "with space": "y"}
    assert found.skipped == ("a=b",)


def test_a_limit_is_told_in_units_of_its_divisor_rounded_up() -> None:
    resources = {"limits": {"cpu": "1500m", "memory": "64Mi"}}
    assert variables({"resources": resources, **source("resourceFieldRef", resource="limits.cpu")}) == {"X": "2"}
    assert variables({"resources": resources, **source("resourceFieldRef", resource="limits.cpu", divisor="1m")}) == {
        "X": "1500"
    }


@pytest.mark.parametrize(
    ("container", "error", "message"),
    [
        (source("configMapKeyRef", name="gone", key="A"), MissingSource, 'configmap "gone" not found'),
        (source("secretKeyRef", name="none", key="A"), MissingSource, 'secret "none" not found'),
        (source("secretKeyRef", name="key", key="A"), MissingSource, "couldn't find key A in Secret shop/key"),
        ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, MissingSource, 'configmap "gone" not found'),
        (source("fieldRef", fieldPath="spec.secrets"), NoSuchField, "unsupported fieldPath"),
        (source("resourceFieldRef", resource="limits.gpu"), NoSuchField, "unsupported resource"),
    ],
    ids=["config map", "secret", "key", "all of one", "field", "resource"],
)
def test_what_is_missing(container: Object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        variables(container)


def service(name: str, namespace: str, address: str, *ports: Object) -> Service:
    spec = {"clusterIP": address, "ports": list(ports)}
    return view(Service, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


SERVICES = Sources(
    {},
    {},
    (
        service("kubernetes", "default", "10.0.0.2", {"port": 443, "name": "https"}),
        service("my-db", "shop", "10.0.0.3", {"port": 5432}),
        service("headless", "shop", "None", {"port": 80}),
    ),
)


def test_service_links() -> None:
    found = variables({}, SERVICES)
    assert found["KUBERNETES_SERVICE_HOST"] == "10.0.0.2"
    assert found["KUBERNETES_SERVICE_PORT_HTTPS"] == "443"
    assert found["MY_DB_PORT"] == found["MY_DB_PORT_5432_TCP"] == "tcp://10.0.0.3:5432"
    assert found["MY_DB_PORT_5432_TCP_ADDR"] == "10.0.0.3"
    assert not any(name.startswith("HEADLESS") for name in found)


def test_without_service_links_only_the_api_is_told() -> None:
    found = variables({}, SERVICES, enableServiceLinks=False)
    assert {name.partition("_")[0] for name in found} == {"KUBERNETES"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"), ("$(B)", "$(B)"), ("$A", "$A"), ("$(", "$("),
        ("$", "$"), ("a$(A)b$(A)", "a1b1"), ("$$", "$"), ("$()", "$()"),
    ],
)  # fmt: skip
def test_expansion(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


@given(st.text(alphabet="$()AB ", max_size=20))
def test_text_without_dollars_is_left_alone_and_none_is_lost(text: str) -> None:
    assert expand(text.replace("$", ""), {"A": "1"}) == text.replace("$", "")
    assert expand(text.replace("$", "$$"), {"A": "1"}) == text


def test_field_of_all_annotations() -> None:
    assert field_value(pod({}), PLACE, "metadata.annotations") == 'note="say \\"hi\\"\\n"'


def test_what_is_referred_to() -> None:
    wanted = pod({**source("secretKeyRef", name="s", key="k"), "envFrom": [{"configMapRef": {"name": "c"}}]})
    assert referenced(wanted) == ({"c"}, {"s"})
