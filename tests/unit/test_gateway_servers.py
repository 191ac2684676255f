"""Which endpoints get new requests, and which runtime commands bring a worker there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.errors import GatewayFailure
from grandstand.gateway.haproxy.commands import (
    Command,
    Seen,
    left_over,
    map_commands,
    parse_map,
    parse_servers,
    server_commands,
)
from grandstand.gateway.haproxy.configuration import Layout, Listed, Settings, configuration
from grandstand.gateway.haproxy.master import Workers, parse_workers
from grandstand.gateway.haproxy.statistics import parse_statistics
from grandstand.gateway.routes import Backend, Protocol
from grandstand.gateway.servers import Duty, Server, servers_for
from grandstand.kinds import EndpointSlice, Key, Object, view

BACKEND = Backend("default.web.80", Key("default", "web"), "http", Protocol.HTTP, False)

READY = {"ready": True, "serving": True, "terminating": False}
NOT_READY = {"ready": False, "serving": False, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}
ENDED = {"ready": False, "serving": False, "terminating": True}
UNKNOWN: Object = {}

S, F, R = Duty.SERVING, Duty.FINISHING, Duty.RESTING


def slice_of(*conditions: Object, port: str = "http", kind: str = "IPv4") -> EndpointSlice:
    points = [
        {"addresses": [f"10.0.0.{n}"], "conditions": each, "targetRef": {"kind": "Pod", "uid": f"uid-{n}"}}
        for n, each in enumerate(conditions)
    ]
    made = {"addressType": kind, "metadata": {"name": "x"}, "endpoints": points, "ports": [{"name": port, "port": 80}]}
    return view(EndpointSlice, made)


@pytest.mark.parametrize(
    ("conditions", "ending", "duties"),
    [
        ([READY, READY], {}, [S, S]),
        ([UNKNOWN], {}, [S]),
        ([READY, NOT_READY], {}, [S, F]),
        ([READY, ENDING], {}, [S, F]),
        ([NOT_READY, ENDING], {}, [F, S]),
        ([NOT_READY, ENDED], {}, [F, F]),
        ([READY, READY], {"uid-0": F}, [F, S]),
        ([READY, READY], {"uid-0": R}, [R, S]),
        ([READY, ENDING], {"uid-0": F}, [F, S]),
        ([ENDING], {"uid-0": F}, [F]),
    ],
    ids=[
        "ready",
        "conditions unknown",
        "not ready",
        "terminating",
        "last that serves",
        "none that serves",
        "drained",
        "drained and idle",
        "drained, but another serves while it ends",
        "last, drained",
    ],
)
def test_duties(conditions: list[Object], ending: dict[str, Duty], duties: list[Duty]) -> None:
    found = servers_for(BACKEND, [slice_of(*conditions)], ending)
    assert [server.duty for server in found.values()] == duties


def test_slices_of_other_ports_and_names_are_passed_over() -> None:
    slices = [slice_of(READY, port="admin"), slice_of(READY, kind="FQDN")]
    assert servers_for(BACKEND, slices, {}) == {}


def test_an_address_in_two_slices_serves_when_one_says_so() -> None:
    for slices in ([slice_of(READY), slice_of(ENDING)], [slice_of(ENDING), slice_of(READY)]):
        assert [server.duty for server in servers_for(BACKEND, slices, {}).values()] == [S]


names = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
wanted_servers = st.dictionaries(names, st.tuples(st.sampled_from(Duty), st.sampled_from([1, 100]))).map(
    lambda found: {f"{a}:80": Server(a, 80, duty, "uid", weight) for a, (duty, weight) in found.items()}
)
seen_servers = st.dictionaries(names, st.tuples(st.sampled_from(Duty), st.sampled_from([1, 100]))).map(
    lambda found: {f"{a}:80": Seen(a, 80, duty, weight) for a, (duty, weight) in found.items()}
)


def obey(servers: dict[str, Seen], commands: list[Command]) -> dict[str, Seen]:
    """What HAProxy does with server commands."""
    for command in commands:
        verb, *rest = command.text.split()
        if verb == "add":
            name = rest[1].split("/")[1]
            assert name not in servers
            servers[name] = Seen(rest[2].rsplit(":", 1)[0], 80, Duty.RESTING, int(rest[4]))
        elif verb == "del":
            assert servers.pop(rest[1].split("/")[1]).duty is Duty.RESTING
        elif verb == "set":
            name = rest[1].split("/")[1]
            before = servers[name]
            if rest[2] == "state":
                servers[name] = Seen(before.address, 80, Duty(rest[3]), before.weight)
            elif rest[2] == "weight":
                servers[name] = Seen(before.address, 80, before.duty, int(rest[3]))
    return servers


@given(wanted_servers, seen_servers)
def test_commands_lead_to_what_is_wanted(wanted: dict[str, Server], seen: dict[str, Seen]) -> None:
    after = obey(dict(seen), server_commands("b", Protocol.HTTP, wanted, seen))
    expected = {
        name: Seen(server.address, 80, server.duty, server.weight)
        for name, server in wanted.items()
        if server.duty is Duty.SERVING or name in seen
    }
    assert after == expected
    assert server_commands("b", Protocol.HTTP, wanted, after) == []


def test_servers_that_serve_come_before_any_goes() -> None:
    wanted = {"10.0.0.2:80": Server("10.0.0.2", 80, Duty.SERVING)}
    seen = {"10.0.0.1:80": Seen("10.0.0.1", 80, Duty.SERVING, 100)}
    verbs = [command.text.split()[0] for command in server_commands("b", Protocol.HTTP, wanted, seen)]
    assert verbs.index("add") < verbs.index("del")


@pytest.mark.parametrize(
    ("wanted", "seen", "texts"),
    [
        ({"a/": "x"}, {}, ["add map routes.map a/ x"]),
        ({"a/": "x"}, {"a/": "y"}, ["set map routes.map a/ x"]),
        ({}, {"a/": "y"}, ["del map routes.map a/"]),
        ({"a/": "x"}, {"a/": "x"}, []),
    ],
    ids=["new", "moved", "gone", "same"],
)
def test_map_commands(wanted: dict[str, str], seen: dict[str, str], texts: list[str]) -> None:
    assert [command.text for command in map_commands(wanted, seen)] == texts


DELETE = Command("del server b/s", ("Server deleted.",), busy="still has connections")


@pytest.mark.parametrize(
    ("answer", "again"),
    [("Server deleted.", False), ("Server still has connections attached to it, cannot remove it.", True)],
)
def test_a_server_with_connections_is_deleted_later(answer: str, again: bool) -> None:
    assert left_over([DELETE], [answer]) is again


@pytest.mark.parametrize("command", [DELETE, Command("set server b/s state ready")])
def test_an_answer_that_is_not_expected_is_an_error(command: Command) -> None:
    with pytest.raises(GatewayFailure, match="No such server"):
        left_over([command], ["No such server."])


STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port
2 default.web.80 1 10.0.0.1:80 10.0.0.1 2 0 100 100 80
2 default.web.80 2 10.0.0.2:80 10.0.0.2 2 8 50 100 80
2 default.web.80 3 10.0.0.3:80 10.0.0.3 0 1 100 100 80
"""


def test_servers_as_haproxy_shows_them() -> None:
    assert parse_servers(STATE) == {
        "default.web.80": {
            "10.0.0.1:80": Seen("10.0.0.1", 80, Duty.SERVING, 100),
            "10.0.0.2:80": Seen("10.0.0.2", 80, Duty.FINISHING, 50),
            "10.0.0.3:80": Seen("10.0.0.3", 80, Duty.RESTING, 100),
        }
    }


@pytest.mark.parametrize("text", ["", "2\n# be_id", "Can't find the target PID", STATE + "nonsense\n"])
def test_servers_that_cannot_be_read_are_an_error(text: str) -> None:
    with pytest.raises(GatewayFailure):
        parse_servers(text)


def test_maps_workers_and_statistics_as_haproxy_shows_them() -> None:
    assert parse_map("0x55d2 a/ x\n0x55d3 b/ y\n") == {"a/": "x", "b/": "y"}
    shown = "#<PID> <type>\n1 master 0\n# workers\n12 worker 0\n# old workers\n10 worker 1\n11 worker 2\n# programs\n"
    assert parse_workers(shown) == Workers(12, (10, 11))
    head = "# pxname,svname,qcur,scur,status,rate,rtime,hrsp_2xx,hrsp_4xx,hrsp_5xx,wretr,wredis\n"
    [server, backend] = parse_statistics(head + "b,s,1,2,UP,3,4,5,6,7,8,9\nb,BACKEND,0,0,UP,0,,,,,,\n")
    assert (server.server, server.queued, server.in_flight, server.retries) == ("s", 1, 2, 17)
    assert (backend.server, backend.response_milliseconds) == (None, 0)
    head = "# pxname,svname,stot,req_tot,econ,eresp\n"
    frontend, other = parse_statistics(head + "b,FRONTEND,9,7,,\nb,s,9,0,1,2\n")
    assert (frontend.requests, other.requests, other.unanswered) == (7, 0, 3)


@pytest.mark.parametrize("reader", [parse_map, parse_workers, parse_statistics])
def test_what_cannot_be_read_is_an_error(reader: object) -> None:
    with pytest.raises(GatewayFailure):
        reader("Permission denied")  # type: ignore[operator]


SETTINGS = Settings("127.0.0.1", 8080, 8443, 2, 1000, "haproxy", "haproxy")


def layout(*backends: Backend, certificates: tuple[Listed, ...] = ()) -> Layout:
    return Layout(SETTINGS, backends, certificates)


def test_a_layout_covers_fewer_backends_and_nothing_else() -> None:
    assert layout(BACKEND).covers(layout())
    assert not layout().covers(layout(BACKEND))
    assert not layout(certificates=(Listed("f", (), "1"),)).covers(layout())


def test_a_configuration_starts_with_the_servers_that_serve() -> None:
    servers = servers_for(BACKEND, [slice_of(READY, ENDING)], {})
    text = configuration(layout(BACKEND), {BACKEND.name: servers})
    assert "server 10.0.0.0:80 10.0.0.0:80 weight 100" in text
    assert "10.0.0.1" not in text
    assert "8443" not in text
