"""Which endpoints a Service leads to, and what nftables is told when that changes."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.kinds import EndpointSlice, Service, view
from grandstand.node.network.rules import host_port_rules
from grandstand.node.network.ruleset import NOTHING, UNKNOWN, Chain, Ruleset, SetDeclaration, difference, union
from grandstand.node.network.sandboxes import HostPort
from grandstand.node.network.services import Portal, Target, portals, rules_for, rules_of
from grandstand.node.network.table import MACHINE, SERVICES, by_section

READY: dict[str, bool] = {}
ENDING = {"ready": False, "serving": True, "terminating": True}
DEAD = {"ready": False, "serving": False, "terminating": True}
NOT_READY = {"ready": False, "serving": False}


def service(**spec: Any) -> Service:
    spec = {"clusterIP": "10.1.128.9", "ports": [{"port": 80, "name": "http"}], **spec}
    return view(Service, {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})


LABELLED = {"metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}}


def piece(endpoints: dict[str, dict[str, bool]], port: dict[str, Any] | None = None, **more: Any) -> EndpointSlice:
    obj = {
        **LABELLED,
        "addressType": "IPv4",
        "ports": [port or {"name": "http", "port": 8000}],
        "endpoints": [{"addresses": [address], "conditions": conditions} for address, conditions in endpoints.items()],
        **more,
    }
    return view(EndpointSlice, obj)


@pytest.mark.parametrize(
    ("slices", "addresses"),
    [
        ([], []),
        ([piece({"a": READY, "b": READY})], ["a", "b"]),
        ([piece({"a": READY, "b": ENDING, "c": NOT_READY})], ["a"]),
        ([piece({"b": ENDING, "c": NOT_READY, "d": DEAD})], ["b"]),
        ([piece({"c": NOT_READY, "d": DEAD})], []),
        ([piece({"b": READY}), piece({"a": READY, "b": READY})], ["a", "b"]),
        ([piece({"a": ENDING}), piece({"b": READY})], ["b"]),
        ([piece({"a": READY}, {"name": "other", "port": 1})], []),
        ([piece({"a": READY}, {"name": "http", "port": 1, "protocol": "UDP"})], []),
        ([piece({"a": READY}, {"name": "http"})], []),
        ([piece({"a": READY}, addressType="IPv6")], []),
        ([piece({"a": READY}, metadata={"name": "x", "namespace": "shop"})], []),
        (
            [piece({"a": READY}, metadata={"namespace": "else", "labels": {"kubernetes.io/service-name": "web"}})],
            [],
        ),
        ([view(EndpointSlice, {**LABELLED, "addressType": "IPv4", "endpoints": None, "ports": None})], []),
    ],
    ids=[
        "none",
        "ready",
        "only the ready ones",
        "better one that ends than none",
        "better none than dead ones",
        "two slices",
        "readiness counts across slices",
        "another port",
        "another protocol",
        "no port number",
        "IPv6",
        "nobody's slice",
        "another namespace",
        "nulls",
    ],
)
def test_targets(slices: list[EndpointSlice], addresses: list[str]) -> None:
    (portal,) = portals([service()], slices)
    assert [target.address for target in portal.targets] == addresses


@pytest.mark.parametrize(
    "spec",
    [{"clusterIP": "None"}, {"clusterIP": ""}, {"type": "ExternalName", "externalName": "example.com"}],
    ids=["headless", "no address yet", "external"],
)
def test_services_without_an_address_have_no_rules(spec: dict[str, Any]) -> None:
    assert rules_for([service(**spec)], [piece({"a": READY})]) == NOTHING


@pytest.mark.parametrize(
    ("spec", "node_port"),
    [({}, None), ({"type": "NodePort"}, 30080), ({"type": "LoadBalancer"}, 30080)],
    ids=["ClusterIP", "NodePort", "LoadBalancer"],
)
def test_node_ports_count_only_for_types_that_have_them(spec: dict[str, Any], node_port: int | None) -> None:
    (portal,) = portals([service(ports=[{"port": 80, "nodePort": 30080}], **spec)], [])
    assert portal.node_port == node_port


def portal(*addresses: str, **more: Any) -> Portal:
    return Portal("10.1.128.9", "tcp", 80, tuple(Target(address, 8000) for address in addresses), **more)


def test_a_port_without_targets_has_no_element_so_that_it_is_refused() -> None:
    assert rules_for([service()], [piece({"a": NOT_READY})]) == NOTHING


def test_the_rules_of_one_target_and_of_several() -> None:
    name = "service-10.1.128.9-tcp-80"
    assert rules_of(portal("10.1.0.5")) == Ruleset(
        chains={name: Chain(("meta l4proto tcp dnat to 10.1.0.5:8000",))},
        elements={("services", "10.1.128.9 . tcp . 80"): f"goto {name}"},
    )
    (rule,) = rules_of(portal("10.1.0.5", "10.1.0.6")).chains[name].rules
    assert rule == (
        "meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.1.0.5 . 8000, 1 : 10.1.0.6 . 8000 }"
    )


def test_affinity_keeps_a_set_for_each_target_and_its_time() -> None:
    before = rules_of(portal("a", "b", affinity_seconds=60))
    after = rules_of(portal("b", "c", affinity_seconds=60))
    text = difference("t", after, before)
    kept = "affinity-10.1.128.9-tcp-80-b-8000-60"
    assert kept in before.sets
    assert not any(f" {kept} " in line and ("add set" in line or "delete set" in line) for line in text.splitlines())
    assert rules_of(portal("a", affinity_seconds=61)).sets.keys().isdisjoint(before.sets)


def test_a_change_of_one_service_touches_nothing_else() -> None:
    def whole(*targets: str) -> Ruleset:
        others = [Portal(f"10.1.129.{n}", "tcp", 80, (Target("10.1.0.9", 1),)) for n in range(100)]
        return union(map(rules_of, [portal(*targets), *others]))

    assert difference("t", whole("10.1.0.5"), whole("10.1.0.6")).splitlines() == [
        "add chain ip t service-10.1.128.9-tcp-80",
        "flush chain ip t service-10.1.128.9-tcp-80",
        "add rule ip t service-10.1.128.9-tcp-80 meta l4proto tcp dnat to 10.1.0.5:8000",
    ]


def test_what_nobody_has_read_is_written_anew() -> None:
    left = Ruleset(sets={"m": SetDeclaration("map", "")}, chains={"keep": UNKNOWN, "gone": UNKNOWN})
    desired = Ruleset(left.sets, {"keep": Chain(("accept",))}, {("m", "k"): "v"})
    assert difference("t", desired, left, flush=["m"]).splitlines() == [
        "flush map ip t m",
        "add chain ip t keep",
        "flush chain ip t keep",
        "flush chain ip t gone",
        "add rule ip t keep accept",
        "add element ip t m { k : v }",
        "delete chain ip t gone",
    ]


names = st.sampled_from("abcd")
rulesets = st.builds(
    Ruleset,
    st.dictionaries(names, st.just(SetDeclaration("map", "x"))),
    st.dictionaries(names, st.builds(Chain, st.lists(st.sampled_from(["r1", "r2"]), max_size=2).map(tuple))),
    st.dictionaries(st.tuples(names, names), st.sampled_from(["v1", "v2"])),
)


@given(rulesets, rulesets)
def test_applying_the_difference_gives_what_is_desired(desired: Ruleset, applied: Ruleset) -> None:
    assert replayed(difference("t", desired, applied), applied) == desired
    assert difference("t", desired, desired) == ""


def replayed(text: str, start: Ruleset) -> Ruleset:
    """What a kernel makes of commands: it refuses to add what is there, and to delete what is not."""
    sets, chains = dict(start.sets), {name: list(chain.rules) for name, chain in start.chains.items()}
    elements = dict(start.elements)
    for line in text.splitlines():
        verb, what, _, _, name, *rest = line.split(" ")
        match verb, what:
            case "add", "map":
                assert name not in sets
                sets[name] = SetDeclaration("map", "x")
            case "delete", "map":
                del sets[name]
            case "add", "chain":
                chains.setdefault(name, [])
            case "flush", "chain":
                chains[name] = []
            case "add", "rule":
                chains[name] += rest
            case "delete", "chain":
                assert chains.pop(name) == []
            case "add", "element":
                assert (name, rest[1]) not in elements
                elements[name, rest[1]] = rest[3]
            case "delete", "element":
                del elements[name, rest[1]]
            case _:
                raise AssertionError(line)
    return Ruleset(sets, {name: Chain(tuple(rules)) for name, rules in chains.items()}, elements)


def test_host_ports() -> None:
    ports = [HostPort("", 8080, 80), HostPort("0.0.0.0", 53, 5353, "UDP"), HostPort("192.0.2.1", 8080, 81)]
    assert host_port_rules((IPv4Address("10.1.0.5"), port) for port in ports).elements == {
        ("host-ports", "tcp . 8080"): "10.1.0.5 . 80",
        ("host-ports", "udp . 53"): "10.1.0.5 . 5353",
        ("address-host-ports", "192.0.2.1 . tcp . 8080"): "10.1.0.5 . 81",
    }


def test_a_listed_table_is_divided_among_its_sections() -> None:
    items = [
        {"metainfo": {}},
        {"map": {"name": "services"}},
        {"set": {"name": "affinity-x-60"}},
        {"chain": {"name": "service-x"}},
        {"chain": {"name": "endpoint-y"}},
        {"chain": {"name": "destination"}},
        {"rule": {"chain": "service-x"}},
    ]
    found = by_section(items)
    assert set(found[SERVICES].chains) == {"service-x", "endpoint-y"}
    assert set(found[SERVICES].sets) == {"affinity-x-60"}
    assert (set(found[MACHINE].chains), set(found[MACHINE].sets)) == ({"destination"}, {"services"})
