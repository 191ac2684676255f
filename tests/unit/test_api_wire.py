"""Protobuf bodies: real ones of kubectl 1.37, hand-made ones for every special type, and garbage."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from graphlib import TopologicalSorter
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grandstand.api.schema import Schemas
from grandstand.api.wire import MAGIC, decode
from grandstand.errors import BadRequest
from grandstand.kinds import Object

BODIES = Path(__file__).parent / "data" / "wire"
SCHEMAS = Schemas.load()


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    text = b""
    while number > 0x7F:
        text += bytes([number & 0x7F | 0x80])
        number >>= 7
    return text + bytes([number])


def record(number: int, value: int | bytes | str) -> bytes:
    """A record of protobuf: a number as varint, all else with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, message: bytes, *more: bytes) -> bytes:
    identity = record(1, record(1, api_version) + record(2, kind))
    return MAGIC + identity + record(2, message) + b"".join(more)


def pod(container: bytes = b"", spec: bytes = b"", meta: bytes = b"") -> bytes:
    full = (record(2, container) if container else b"") + spec
    return body("v1", "Pod", (record(1, meta) if meta else b"") + record(2, full))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "deployment",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {
                        "metadata": {"labels": {"app": "web"}},
                        "spec": {
                            "containers": [
                                {
                                    "name": "nginx",
                                    "image": "nginx:1",
                                    "ports": [{"containerPort": 8080}],
                                    "resources": {},
                                }
                            ]
                        },
                    },
                    "strategy": {},
                },
                "status": {},
            },
        ),
        (
            "configmap",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "c"},
                "data": {"a": "b", "empty": ""},
                "binaryData": {"bin": "+vv8/f7/"},
            },
        ),
        ("secret", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "Yg=="}}),
        ("namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}, "spec": {}, "status": {}}),
        (
            "nodeport",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "np", "labels": {"app": "np"}},
                "spec": {
                    "ports": [
                        {"name": "80-http", "protocol": "TCP", "port": 80, "targetPort": "http", "nodePort": 30001}
                    ],
                    "selector": {"app": "np"},
                    "type": "NodePort",
                },
                "status": {"loadBalancer": {}},
            },
        ),
        (
            "autoscale",
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "web"},
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
                    "minReplicas": 1,
                    "maxReplicas": 5,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                        }
                    ],
                },
                "status": {"desiredReplicas": 0},
            },
        ),
        (
            "cani",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "metadata": {},
                "spec": {"resourceAttributes": {"namespace": "default", "verb": "create", "resource": "pods"}},
                "status": {"allowed": False},
            },
        ),
    ],
)
def test_bodies_of_kubectl(name: str, expected: Object) -> None:
    assert decode((BODIES / f"kubectl-1.37-{name}.bin").read_bytes()) == expected


@pytest.mark.parametrize("path", sorted(BODIES.glob("*.bin")), ids=lambda path: path.stem)
def test_every_body_of_kubectl_fits_its_schema_or_is_of_a_kind_that_we_do_not_have(path: Path) -> None:
    if path.stem.endswith("autoscale-v1"):
        with pytest.raises(BadRequest, match="autoscaling/v1"):
            decode(path.read_bytes())
        return
    obj = decode(path.read_bytes())
    checked = SCHEMAS.check_kind(obj["apiVersion"], obj["kind"], obj)
    assert (checked.object, checked.unknown, checked.invalid) == (obj, (), ())


def time(seconds: int, nanos: int = 0) -> bytes:
    return record(1, seconds) + record(2, nanos)


EVENT = record(2, record(1, "Pod"))  # involvedObject


@pytest.mark.parametrize(
    ("data", "part", "value"),
    [
        (pod(meta=record(8, time(1_700_000_000))), "metadata", {"creationTimestamp": "2023-11-14T22:13:20Z"}),
        (pod(meta=record(8, b"")), "metadata", {}),
        (pod(meta=record(8, time(-62135596800))), "metadata", {}),
        (pod(meta=record(1, "") + record(2, "") + record(7, 0)), "metadata", {}),
        (pod(meta=record(10, 0)), "metadata", {"deletionGracePeriodSeconds": 0}),
        (
            pod(meta=record(17, record(7, record(1, b'{"f:spec":{}}')))),
            "metadata",
            {"managedFields": [{"fieldsV1": {"f:spec": {}}}]},
        ),
        (pod(meta=record(11, record(1, "a") + record(2, "b"))), "metadata", {"labels": {"a": "b"}}),
        (pod(meta=record(11, record(1, "a"))), "metadata", {"labels": {"a": ""}}),
        (pod(spec=record(4, 0)), "spec", {"terminationGracePeriodSeconds": 0}),
        (pod(spec=record(4, -1)), "spec", {"terminationGracePeriodSeconds": -1}),
        (pod(spec=record(11, 0)), "spec", {}),
        (pod(spec=record(11, 1)), "spec", {"hostNetwork": True}),
        (pod(spec=record(3, "Always") + record(3, "")), "spec", {}),
        (
            pod(spec=record(1, record(1, "v") + record(2, record(2, b"")))),
            "spec",
            {"volumes": [{"name": "v", "emptyDir": {}}]},
        ),
        (
            pod(spec=record(14, record(4, b"\x01\x02\xac\x02"))),
            "spec",
            {"securityContext": {"supplementalGroups": [1, 2, 300]}},
        ),
        (
            pod(spec=record(14, record(4, 1) + record(4, 2))),
            "spec",
            {"securityContext": {"supplementalGroups": [1, 2]}},
        ),
        (
            body("v1", "Event", EVENT + record(10, time(1_700_000_000, 123_456_789))),
            "eventTime",
            "2023-11-14T22:13:20.123456Z",
        ),
        (body("v1", "DeleteOptions", record(1, 0) + record(4, "Foreground")), "gracePeriodSeconds", 0),
        (body("apps/v1", "DeleteOptions", record(4, "Foreground")), "propagationPolicy", "Foreground"),
        (body("rockets/v3", "DeleteOptions", record(5, "All")), "dryRun", ["All"]),
        (body("policy/v1", "Eviction", record(2, record(1, 3))), "deleteOptions", {"gracePeriodSeconds": 3}),
        (body("autoscaling/v1", "Scale", record(2, record(1, 0))), "spec", {}),
        (body("autoscaling/v1", "Scale", record(2, record(1, 4))), "spec", {"replicas": 4}),
    ],
    ids=[
        *("time", "empty time", "zero time", "zero values", "pointer to zero", "fields", "map", "map without value"),
        *("grace 0", "negative", "false", "true", "last wins", "inlined volume", "packed", "unpacked", "micro time"),
        *("delete options", "of a group", "of any group", "eviction", "scale 0", "scale"),
    ],
)
def test_special_types(data: bytes, part: str, value: object) -> None:
    decoded = decode(data)
    got = decoded.get(part)
    assert got == value


@pytest.mark.parametrize(
    ("container", "part", "value"),
    [
        (
            record(8, record(1, record(1, "cpu") + record(2, record(1, "500m")))),
            "resources",
            {"limits": {"cpu": "500m"}},
        ),
        (record(8, record(1, record(1, "cpu"))), "resources", {"limits": {"cpu": "0"}}),
        (
            record(10, record(1, record(2, record(1, "/") + record(2, record(1, 0) + record(2, 80)))) + record(2, 3)),
            "livenessProbe",
            {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 3},
        ),
        (
            record(10, record(1, record(2, record(2, record(1, 1) + record(3, "http"))))),
            "livenessProbe",
            {"httpGet": {"port": "http"}},
        ),
        (
            record(7, record(1, "A") + record(3, record(4, record(1, record(1, "s")) + record(2, "k") + record(3, 0)))),
            "env",
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": False}}}],
        ),
    ],
    ids=["quantity", "no quantity", "number", "name", "inlined reference"],
)
def test_special_types_in_containers(container: bytes, part: str, value: object) -> None:
    assert decode(pod(container))["spec"]["containers"][0][part] == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not appear to be a protobuf message"),
        (b'{"kind":"Pod"}', "does not appear to be a protobuf message"),
        (MAGIC, 'no kind "" is registered'),
        (body("v1", "Rocket", b""), 'no kind "Rocket" is registered for version "v1"'),
        (pod(spec=record(999, 1)), "unknown field number 999 in the protobuf message PodSpec"),
        (pod(spec=record(4, "text")), "wrong wire type 2 for the field terminationGracePeriodSeconds of PodSpec"),
        (pod(spec=record(3, 1)), "wrong wire type 0 for the field restartPolicy of PodSpec"),
        (pod(spec=record(2, 1)), "wrong wire type 0 for the field containers of PodSpec"),
        (pod(spec=varint(4 << 3 | 1) + struct.pack("<q", 1)), "wrong wire type 1"),
        (pod(spec=varint(4 << 3 | 3)), "wrong wire type 3"),
        (pod(spec=record(0, 1)), "field number 0"),
        (pod(spec=record(3, b"\xff")), "not UTF-8"),
        (pod(meta=record(11, record(3, "x"))), "unknown field number 3 in an entry of the map labels"),
        (pod(meta=record(17, record(7, record(1, b"{")))), "holds no JSON"),
        (pod(meta=record(17, record(7, record(1, b"[]")))), "JSON that is no object"),
        (pod(meta=record(8, time(1 << 62))), "is no time"),
        (pod(meta=record(8, time(0, -1))), "is no time"),
        (MAGIC + record(2, b"")[:-1], "cut off"),
        (MAGIC + b"\x12\x05ab", "cut off: field 2 needs 5 more bytes"),
        (MAGIC + b"\xff" * 11, "more than 64 bits"),
        (body("v1", "Pod", b"", record(3, "gzip")), "content encoding 'gzip'"),
        (body("v1", "Pod", b"", record(4, "application/json")), "holds 'application/json'"),
    ],
    ids=[
        *("empty", "json", "no kind", "unknown kind", "unknown field", "text for number", "number for text"),
        *("number for message", "fixed", "group", "field 0", "utf-8", "map entry", "raw json", "raw list", "far time"),
        *("negative nanos", "cut in number", "cut in bytes", "long number", "encoding", "content type"),
    ],
)
def test_what_is_no_body_is_a_bad_request(data: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        decode(data)
    assert message in raised.value.message


def test_no_message_can_contain_itself() -> None:
    """Else a small body could nest without end."""
    table = json.loads(resources.files("grandstand.api").joinpath("data/messages.json").read_bytes())["messages"]
    inside = {
        name: {kind.removeprefix("map<").removesuffix(">") for _, kind, _ in fields.values()} & table.keys()
        for name, fields in table.items()
    }
    assert len(list(TopologicalSorter(inside).static_order())) == len(table)


REAL = [path.read_bytes() for path in sorted(BODIES.glob("*.bin"))]


@given(st.binary(max_size=200))
@example(b"\x12\x00")
def test_garbage_is_a_bad_request_and_nothing_else(data: bytes) -> None:
    for message in (MAGIC + data, pod(spec=data), pod(container=data), body("v1", "Event", data)):
        with suppress(BadRequest):
            decode(message)


@given(st.sampled_from(REAL), st.data())
def test_damaged_bodies_are_bad_requests_and_nothing_else(real: bytes, data: st.DataObject) -> None:
    damaged = bytearray(real)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for message in (bytes(damaged), bytes(damaged[:cut])):
        with suppress(BadRequest):
            decode(message)


@given(st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_numbers_of_64_bits_survive(number: int, flag: bool) -> None:
    spec = decode(pod(spec=record(4, number) + record(13, int(flag))))["spec"]
    assert spec["terminationGracePeriodSeconds"] == number
