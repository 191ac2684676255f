"""Addresses, names and refusals of sandboxes; netlink's bytes; rounds."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.engine import Engine
from grandstand.errors import AddressesExhausted, SandboxRefused
from grandstand.node.network.addresses import next_address
from grandstand.node.network.messages import attribute, parse_attributes
from grandstand.node.network.records import Records
from grandstand.node.network.rounds import Rounds
from grandstand.node.network.sandboxes import HostPort, Record, SandboxSpec, check, link_name, macs

ENGINE = Engine(Path("/nowhere"), IPv4Network("10.1.0.0/16"), 6443, 8080, 8443)
SMALL = IPv4Network("10.1.0.0/29")  # .2 to .6 can be given


def addresses(*last: int) -> list[IPv4Address]:
    return [IPv4Address(f"10.1.0.{number}") for number in last]


@pytest.mark.parametrize(
    ("taken", "last", "given_"),
    [((), 1, 2), ((2, 3), 1, 4), ((), 6, 2), ((2,), 6, 3), ((3, 4, 5, 6), 4, 2), ((2,), 3, 4)],
    ids=["first", "first free", "start over", "start over to a free one", "the only one", "not the one just freed"],
)
def test_the_next_address(taken: tuple[int, ...], last: int, given_: int) -> None:
    assert next_address(SMALL, set(addresses(*taken)), *addresses(last)) == addresses(given_)[0]


def test_no_address_is_left() -> None:
    with pytest.raises(AddressesExhausted, match="all 5 addresses"):
        next_address(SMALL, set(addresses(2, 3, 4, 5, 6)), *addresses(3))


@given(st.sets(st.integers(2, 6), max_size=4), st.integers(1, 6))
def test_an_address_is_free_and_inside(taken: set[int], last: int) -> None:
    found = next_address(SMALL, set(addresses(*taken)), *addresses(last))
    assert found in addresses(2, 3, 4, 5, 6)
    assert found not in addresses(*taken)


@given(st.integers(2, 2**15 - 2), st.integers(2, 2**15 - 2))
def test_names_and_hardware_addresses_are_unique_and_fit(one: int, other: int) -> None:
    first, second = (ENGINE.pods.network_address + number for number in (one, other))
    assert (link_name(ENGINE, first) == link_name(ENGINE, second)) == (one == other)
    assert len(link_name(ENGINE, first)) <= 15
    assert len({*macs(first), *macs(second)}) == (2 if one == other else 4)
    assert all(mac[0] & 0b11 == 0b10 for mac in macs(first)), "unicast, locally administered"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pod_uid": "../x"}, "no Pod uid"),
        ({"hostname": ""}, "hostname"),
        ({"hostname": "x" * 64}, "hostname"),
        ({"sysctls": {"kernel.panic": "1"}}, "belongs to the whole machine"),
        ({"sysctls": {"vm.swappiness": "1"}}, "belongs to the whole machine"),
        ({"sysctls": {"net/../../kernel/panic": "1"}}, "no sysctl"),
        ({"sysctls": {"net...kernel.panic": "1"}}, "no sysctl"),
        ({"sysctls": {"net.core.somaxconn": "1"}, "host_network": True}, "hostNetwork"),
        ({"sysctls": {"kernel.shmmax": "1"}, "host_ipc": True}, "hostIPC"),
    ],
)
def test_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SandboxRefused, match=message):
        check(SandboxSpec(**{"pod_uid": "uid", "hostname": "web", **fields}))


@pytest.mark.parametrize(
    "name", ["net.core.somaxconn", "net.ipv4.conf.eth0.arp_notify", "kernel.sem", "fs.mqueue.msg_max"]
)
def test_sysctls_of_a_sandbox(name: str) -> None:
    check(SandboxSpec("uid", "web", sysctls={name: "1"}))


@pytest.mark.parametrize(
    ("other", "collides"),
    [
        (HostPort("", 80, 1), True),
        (HostPort("127.0.0.1", 80, 1), True),
        (HostPort("192.0.2.1", 80, 1), False),
        (HostPort("127.0.0.1", 81, 1), False),
        (HostPort("127.0.0.1", 80, 1, "UDP"), False),
    ],
)
def test_host_ports_collide(other: HostPort, collides: bool) -> None:
    one = HostPort("127.0.0.1", 80, 8000)
    assert (one.collides(other), other.collides(one)) == (collides, collides)


@pytest.mark.parametrize(
    ("address", "host_ipc", "pinned"),
    [
        ("10.1.0.2", False, ("net", "uts", "ipc")),
        ("10.1.0.2", True, ("net", "uts")),
        (None, False, ("ipc",)),
        (None, True, ()),
    ],
)
def test_which_namespaces_are_its_own(address: str | None, host_ipc: bool, pinned: tuple[str, ...]) -> None:
    assert Record(pod_uid="uid", hostname="h", address=address, host_ipc=host_ipc).pinned == pinned


def test_records_survive_and_broken_ones_go(tmp_path: Path) -> None:
    records = Records(tmp_path / "sandboxes")
    assert records.load() == {}
    kept = Record(pod_uid="kept", hostname="h", address="10.1.0.2", host_ports=(HostPort("", 80, 8000),))
    records.write(kept)
    records.write(Record(pod_uid="gone", hostname="h", address=None))
    records.remove("gone")
    records.remove("gone")
    (tmp_path / "sandboxes" / "torn.json").write_text("{")
    assert Records(tmp_path / "sandboxes").load() == {"kept": kept}
    assert [file.name for file in (tmp_path / "sandboxes").iterdir()] == ["kept.json"]
    assert (tmp_path / "sandboxes" / "kept.json").stat().st_mode & 0o777 == 0o600


@given(st.dictionaries(st.integers(1, 100), st.binary(max_size=9)))
def test_attributes_come_back_as_they_went(wanted: dict[int, bytes]) -> None:
    packed = b"".join(attribute(number, payload) for number, payload in wanted.items())
    assert len(packed) % 4 == 0
    assert parse_attributes(packed) == wanted


@given(st.binary(max_size=64))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    parse_attributes(data)


async def test_a_round_serves_all_who_came_before_it_began() -> None:
    gate, begun = asyncio.Event(), []

    async def work() -> None:
        begun.append(len(begun))
        await gate.wait()

    rounds = Rounds(work)
    first = [asyncio.create_task(rounds.run()) for _ in range(3)]
    while not begun:
        await asyncio.sleep(0)
    late = [asyncio.create_task(rounds.run()) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*first, *late)
    assert begun == [0, 1]


async def test_all_callers_of_a_round_see_its_error_and_the_next_one_is_new() -> None:
    outcomes = [OSError("no"), None]

    async def work() -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    rounds = Rounds(work)
    found = await asyncio.gather(rounds.run(), rounds.run(), return_exceptions=True)
    assert [type(error) for error in found] == [OSError, OSError]
    await rounds.run()
