"""A machine whose other firewall drops what it does not know, as Docker's does; in a network namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from pod_network import inside

from grandstand.engine import Engine
from grandstand.node.network import forwarding

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    pytest.mark.skipif(shutil.which("iptables") is None, reason="without iptables there is no Docker firewall"),
]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path.resolve(), IPv4Network("10.1.0.0/16"), 6443, 8080, 8443)


@pytest.fixture
def machine(engine: Engine) -> Iterator[Path]:
    name = f"{engine.prefix}m"
    subprocess.run(("ip", "netns", "add", name), check=True)
    yield Path("/run/netns") / name
    subprocess.run(("ip", "netns", "del", name), check=True)


def rules(machine: Path) -> list[str]:
    run = ("nsenter", f"--net={machine}", "iptables", "-S", "FORWARD")
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()


def test_docker_s_policy_is_opened_for_pods_once_and_closed_again(machine: Path, engine: Engine) -> None:
    subprocess.run(("nsenter", f"--net={machine}", "iptables", "-P", "FORWARD", "DROP"), check=True)
    before = rules(machine)
    for _ in range(2):
        inside(machine, lambda: forwarding.admit(engine))
        assert sorted(rules(machine)[1:]) == [
            f"-A FORWARD -{direction} {engine.prefix}p+ -m comment --comment {engine.prefix} -j ACCEPT"
            for direction in ("i", "o")
        ]
    inside(machine, lambda: forwarding.withdraw(engine))
    assert rules(machine) == before


def test_an_open_firewall_is_left_alone(machine: Path, engine: Engine) -> None:
    before = rules(machine)
    inside(machine, lambda: forwarding.admit(engine))
    assert rules(machine) == before


def test_of_another_firewall_we_say_what_to_do(machine: Path, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    table = "table inet wall {\nchain gate {\ntype filter hook forward priority 0; policy drop;\n}\n}\n"
    subprocess.run(("nsenter", f"--net={machine}", "nft", "-f", "-"), input=table, text=True, check=True)
    inside(machine, lambda: forwarding.admit(engine))
    assert "chain gate in the table wall drops forwarded packets" in caplog.text
    assert f'iifname "{engine.prefix}p*"' in caplog.text
