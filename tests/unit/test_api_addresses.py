"""Which ClusterIP a Service gets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api.addresses import carried_over, free_address, refusal, taken_by, wanted_address

SMALL = IPv4Network("10.0.0.0/28")
USABLE = {str(SMALL.network_address + step) for step in range(2, 15)}


@given(st.sets(st.sampled_from(sorted(USABLE))), st.text())
def test_a_free_address_is_found_exactly_while_there_is_one(taken, seed):
    address = free_address(SMALL, taken, seed)
    if taken == USABLE:
        assert address is None
    else:
        assert address in USABLE - taken


def test_addresses_spread():
    network = IPv4Network("10.0.128.0/17")
    assert len({free_address(network, (), str(seed)) for seed in range(100)}) > 95


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.0.9", None),
        ("10.0.0.5", "provided IP is already allocated"),
        ("10.0.1.5", "not in the valid range"),
        ("ten", "must be a valid IPv4 address"),
        ("fd00::1", "must be a valid IPv4 address"),
    ],
    ids=["free", "taken", "another network", "no address", "IPv6"],
)
def test_refusal(address, why):
    cause = refusal(address, SMALL, {"10.0.0.5"})
    assert (cause is None) if why is None else (cause is not None and why in cause.message)


def service(kind="ClusterIP", **spec):
    return {"spec": {"type": kind, **spec}}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [({}, ""), ({"clusterIP": "None"}, "None"), ({"clusterIPs": ["10.0.0.3"]}, "10.0.0.3"), ({"clusterIP": ""}, "")],
    ids=["any", "headless", "only the list", "empty"],
)
def test_wanted(spec, wanted):
    assert wanted_address(service(**spec)) == wanted


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (service(), "10.0.0.3"),
        (service(clusterIP="10.0.0.4"), "10.0.0.4"),
        (service("ExternalName"), None),
    ],
    ids=["left out", "given", "needs none"],
)
def test_carried_over(new, expected):
    old = service(clusterIP="10.0.0.3", clusterIPs=["10.0.0.3"])
    assert carried_over(new, old)["spec"].get("clusterIP") == expected


def test_taken_by():
    found = taken_by([service(clusterIP="10.0.0.3"), service(clusterIP="None"), service("ExternalName")])
    assert found == {"10.0.0.3"}
    assert IPv4Address("10.0.0.3") in SMALL
