"""resolv.conf and hosts of Pods."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from grandstand.engine import Engine
from grandstand.errors import SandboxRefused
from grandstand.kinds.pods import HostAlias
from grandstand.node.network import Sandbox, hosts_file, resolv_conf

ENGINE = Engine(Path("/nowhere"), IPv4Network("10.1.0.0/16"), 6443, 8080, 8443)
MACHINE = "# comment\nnameserver 192.0.2.53\nnameserver 127.0.0.53\nsearch example.org .\noptions edns0 timeout:1\n"
CLUSTER = (
    "nameserver 10.1.0.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local example.org\noptions ndots:5\n"
)


@pytest.mark.parametrize(
    ("policy", "config", "host_network", "text"),
    [
        ("ClusterFirst", None, False, CLUSTER),
        ("ClusterFirstWithHostNet", None, True, CLUSTER),
        ("Default", None, False, "nameserver 192.0.2.53\nsearch example.org\noptions edns0 timeout:1\n"),
        (
            "ClusterFirst",
            None,
            True,
            "nameserver 192.0.2.53\nnameserver 127.0.0.53\nsearch example.org\noptions edns0 timeout:1\n",
        ),
        ("None", {"nameservers": ["1.2.3.4"], "searches": ["a.b"]}, False, "nameserver 1.2.3.4\nsearch a.b\n"),
        ("None", None, False, ""),
        (
            "ClusterFirst",
            {"nameservers": ["1.2.3.4", "10.1.0.1"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]},
            False,
            CLUSTER.replace("10.1.0.1\n", "10.1.0.1\nnameserver 1.2.3.4\n").replace("ndots:5", "ndots:2 edns0"),
        ),
    ],
    ids=["cluster", "cluster on host", "default", "host network", "none", "empty", "options win"],
)
def test_resolv_conf(policy: str, config: dict[str, Any] | None, host_network: bool, text: str) -> None:
    assert resolv_conf(ENGINE, "shop", policy, config, host_network=host_network, machine=MACHINE) == text


def test_a_resolver_on_the_machines_loopback_is_asked_through_ours() -> None:
    assert resolv_conf(ENGINE, "shop", "Default", None, machine="nameserver 127.0.0.53\n") == "nameserver 10.1.0.1\n"


def test_at_most_three_nameservers() -> None:
    config = {"nameservers": [f"192.0.2.{number}" for number in range(5)]}
    assert resolv_conf(ENGINE, "shop", "None", config, machine="").count("nameserver") == 3


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(SandboxRefused, match="ClusterSecond"):
        resolv_conf(ENGINE, "shop", "ClusterSecond", None, machine="")


def test_hosts() -> None:
    sandbox = Sandbox("uid", Path("/net"), None, None, "10.1.0.9", "db-0")
    text = hosts_file(sandbox, "db-0.db.shop.svc.cluster.local", [HostAlias(ip="192.0.2.1", hostnames=["a", "b"])])
    assert text.splitlines() == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "10.1.0.9\tdb-0.db.shop.svc.cluster.local\tdb-0",
        "192.0.2.1\ta b",
    ]
    assert "10.1.0.9\tdb-0\n" in hosts_file(sandbox, "", [])


def test_with_host_network_the_machines_own_names_come_first() -> None:
    sandbox = Sandbox("uid", None, None, None, "10.1.0.1", "web")
    text = hosts_file(sandbox, "", [HostAlias(ip="192.0.2.1", hostnames=["a"])])
    assert text.endswith("192.0.2.1\ta\n")
    assert "10.1.0.1" not in text
