"""What becomes of a request that nobody can serve, and how it is read and passed on."""

from __future__ import annotations

import struct

import pytest

from grandstand.gateway.activator.failures import StartFailure, start_failure
from grandstand.gateway.activator.gates import Fate, Gate, deadline, fate
from grandstand.gateway.activator.wakeable import ScaleTarget, wakeable_services
from grandstand.gateway.activator.wire import (
    SIGNATURE,
    Introduction,
    Malformed,
    introduction,
    refusal,
    replayable,
)
from grandstand.kinds import Condition, HorizontalPodAutoscaler, Key, Object, Pod, view

WEB = Key("default", "web")
OPEN = Gate(WEB, is_open=True, opened_at=100.0)
CLOSED = Gate(WEB)
SWITCHING = Gate(WEB, switching=True)


@pytest.mark.parametrize(
    ("gate", "wakeable", "arrived_at", "now", "expected"),
    [
        (None, True, 100.0, 100.0, Fate.REFUSE),
        (CLOSED, False, 100.0, 100.0, Fate.REFUSE),
        (CLOSED, True, 100.0, 100.0, Fate.WAIT),
        (CLOSED, True, 100.0, 144.9, Fate.WAIT),
        (CLOSED, True, 100.0, 145.0, Fate.TIME_OUT),
        (SWITCHING, False, 100.0, 100.0, Fate.WAIT),
        (SWITCHING, False, 100.0, 105.0, Fate.REFUSE),
        (SWITCHING, True, 100.0, 105.0, Fate.WAIT),
        (OPEN, False, 90.0, 100.0, Fate.LET_THROUGH),
        (OPEN, False, 100.05, 100.05, Fate.LET_THROUGH),
        (OPEN, False, 100.2, 100.2, Fate.REFUSE),
        (OPEN, True, 100.2, 100.2, Fate.WAIT),
        (OPEN, True, 100.2, 100.7, Fate.REFUSE),
    ],
    ids=[
        "no such backend",
        "nobody, and nobody woken",
        "wakes somebody",
        "still wakes",
        "waited too long",
        "an exchange",
        "an exchange that does not end",
        "an exchange to nobody, who is woken",
        "served after a wait",
        "sent before it was served",
        "all servers are down",
        "down, but may be woken",
        "down for long",
    ],
)
def test_what_becomes_of_a_request(gate, wakeable, arrived_at, now, expected):
    assert fate(gate, wakeable, arrived_at, now, 45.0) is expected


@pytest.mark.parametrize(
    ("gate", "wakeable", "expected"),
    [(OPEN, True, 10.5), (CLOSED, True, 55.0), (SWITCHING, False, 15.0)],
    ids=["in doubt", "wakes somebody", "an exchange"],
)
def test_when_to_ask_again(gate, wakeable, expected):
    until = deadline(gate, wakeable, 10.0, 45.0)
    assert until == expected
    assert fate(gate, wakeable, 10.0, until + 1000, 45.0) not in (Fate.WAIT, Fate.LET_THROUGH)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nhost: a", True),
        (b"GET /ws HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket", True),
        (b"DELETE / HTTP/1.1\r\nContent-Length: 0", True),
        (b"PUT / HTTP/1.1\r\ncontent-length:  5", False),
        (b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked", False),
        (b"POST / HTTP/1.1\r\nhost: a", False),
        (b"PATCH / HTTP/1.1\r\ncontent-length: 0", False),
        (b"BREW / HTTP/1.1", False),
    ],
    ids=["get", "upgrade", "empty body", "body", "chunked", "post", "patch", "unknown method"],
)
def test_what_haproxy_can_send_again(head, expected):
    assert replayable(head) is expected


def proxied(family: int, addresses: bytes, backend: bytes = b"default.web.80") -> bytes:
    entries = b"\x04\x00\x01x" + (b"\x05" + struct.pack("!H", len(backend)) + backend if backend else b"")
    size = len(addresses) + len(entries)
    return SIGNATURE + struct.pack("!BBH", 0x21, family, size) + addresses + entries


V4 = bytes([10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4])
V6 = bytes(range(36))


@pytest.mark.parametrize(
    ("family", "addresses", "expected"),
    [
        (0x11, V4, (0x11, V4)),
        (0x21, V6, (0x21, V6)),
        (0x31, bytes(216), (0x11, bytes(12))),
        (0, b"", (0x11, bytes(12))),
    ],
    ids=["IPv4", "IPv6", "Unix", "unknown"],
)
def test_who_comes_is_read_and_goes_on(family, addresses, expected):
    header = proxied(family, addresses)
    found = introduction(header + b"GET / HTTP/1.1\r\n\r\n")
    assert found == Introduction("default.web.80", *expected, len(header))
    onwards = found.onwards()
    assert onwards[12:14] == bytes((0x21, expected[0]))
    assert onwards[16:] == expected[1] + b"\x02\x00\x0edefault.web.80"
    assert struct.unpack("!H", onwards[14:16])[0] == len(onwards) - 16


def test_a_header_in_parts_is_waited_for():
    header = proxied(0x11, V4)
    assert [introduction(header[:size]) for size in range(len(header))] == [None] * len(header)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\nx", proxied(0x11, V4, b"")])
def test_who_is_not_haproxy_is_sent_away(data):
    with pytest.raises(Malformed):
        introduction(data)


def test_a_refusal_is_a_whole_answer():
    head, _, body = refusal("why").partition(b"\r\n\r\n")
    assert (body, b"Content-Length: 4" in head, b"Retry-After: 1" in head) == (b"why\n", True, True)


def autoscaler(least: int | None = 0, *, kind: str = "Service", of: str = "Object", **meta: str) -> Object:
    source = {"describedObject": {"kind": kind, "name": "web"}, "metric": {"name": "requests"}, "target": {}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "app"}, "maxReplicas": 3}
    spec |= {"metrics": [{"type": "Resource"}, {"type": of, of.lower(): source}]}
    least_replicas = {} if least is None else {"minReplicas": least}
    return {"metadata": {"namespace": "default", "name": "hpa", **meta}, "spec": spec | least_replicas}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (autoscaler(), {WEB: ScaleTarget("Deployment", Key("default", "app"))}),
        (autoscaler(1), {}),
        (autoscaler(None), {}),
        (autoscaler(kind="Ingress"), {}),
        (autoscaler(of="Pods"), {}),
        (autoscaler(deletionTimestamp="2026-11-27T00:00:00Z"), {}),
    ],
    ids=["zero", "one", "none said", "another kind", "another metric", "being deleted"],
)
def test_which_services_a_request_wakes(obj, expected):
    assert wakeable_services([view(HorizontalPodAutoscaler, obj)]) == expected


def pod(name: str, reason: str = "", **more: object) -> Pod:
    state = {"waiting": {"reason": reason, "message": "why"}} if reason else {"running": {}}
    status = {"phase": "Pending", "containerStatuses": [{"name": "c", "state": state}], **more}
    return view(Pod, {"metadata": {"name": name}, "spec": {"containers": []}, "status": status})


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "too large"}
REPLICA_FAILURE = Condition("ReplicaFailure", "True", "FailedCreate", "quota")
CRASHING = StartFailure("Pod a", "CrashLoopBackOff", "why")


@pytest.mark.parametrize(
    ("pods", "conditions", "expected"),
    [
        ([], [], None),
        ([pod("a", "ContainerCreating")], [], None),
        ([pod("a", "CrashLoopBackOff")], [], CRASHING),
        ([pod("b", "ErrImagePull"), pod("a", "CrashLoopBackOff")], [], CRASHING),
        ([pod("a", "CrashLoopBackOff"), pod("b")], [REPLICA_FAILURE], None),
        ([pod("a", conditions=[UNSCHEDULABLE])], [], StartFailure("Pod a", "Unschedulable", "too large")),
        ([pod("a", initContainerStatuses=[{"name": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}])], [],
         StartFailure("Pod a", "ErrImagePull", "")),
        ([pod("a", "CrashLoopBackOff", phase="Failed")], [], None),
        ([], [REPLICA_FAILURE], StartFailure("Deployment app", "FailedCreate", "quota")),
        ([], [Condition("ReplicaFailure", "False")], None),
    ],
    ids=["no Pod yet", "creating", "crashing", "all fail", "one may start", "unschedulable", "init", "finished",
         "no Pod can be made", "no failure"],
)  # fmt: skip
def test_why_nobody_starts(pods, conditions, expected):
    assert start_failure(pods, "Deployment app", conditions) == expected


def test_a_failure_is_told_in_one_sentence():
    assert CRASHING.text == "nobody serves this, because the start fails: Pod a is in CrashLoopBackOff: why"
