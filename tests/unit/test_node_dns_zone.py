"""Answers about the names of Services and Pods."""

from __future__ import annotations

from typing import Any

import pytest

from grandstand.kinds import EndpointSlice, Key, Service, view
from grandstand.node.dns.zone import Answer, Record, Srv, Type, Zone, answer, holds


def service(name: str, *, namespace: str = "shop", **spec: Any) -> Service:
    return view(Service, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def piece(name: str, endpoints: list[dict[str, Any]], ports: list[dict[str, Any]]) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": name}
    meta = {"name": f"{name}-x", "namespace": "shop", "labels": labels}
    return view(EndpointSlice, {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})


WEB_PORTS = [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}, {"port": 81}]
SERVICES = [
    service("web", clusterIP="10.1.128.9", ports=WEB_PORTS),
    service("db", clusterIP="None", ports=[{"name": "sql", "port": 5432}]),
    service("lone", clusterIP="None"),
    service("mail", type="ExternalName", externalName="Mail.Example.com."),
    service("alias", type="ExternalName", externalName="web.shop.svc.cluster.local"),
]
DB = piece(
    "db",
    [
        {"addresses": ["10.1.0.5"], "hostname": "db-0"},
        {"addresses": ["10.1.0.6"], "conditions": {"ready": True}},
        {"addresses": ["10.1.0.7"], "hostname": "db-2", "conditions": {"ready": False}},
    ],
    [{"name": "sql", "port": 5432}],
)
ZONE = Zone(
    domain="cluster.local",
    services={s.metadata.key: s for s in SERVICES},
    slices={Key("shop", "db"): [DB]},
    service_at={"10.1.128.9": Key("shop", "web")},
    hosts_at={"10.1.0.5": {(Key("shop", "db"), "db-0")}},
    pods_at={"10.1.0.5": {"shop"}},
    namespaces={"shop": 5},
)
BASE = "svc.cluster.local"


def a(name: str, *addresses: str) -> tuple[Record, ...]:
    return tuple(Record(name, Type.A, address) for address in addresses)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (f"web.shop.{BASE}", "A", Answer(True, a(f"web.shop.{BASE}", "10.1.128.9"))),
        (f"web.shop.{BASE}", "AAAA", Answer(True)),
        (f"web.shop.{BASE}", "MX", Answer(True)),
        (f"web.other.{BASE}", "A", Answer(False)),
        (f"nothing.shop.{BASE}", "A", Answer(False)),
        (f"db.shop.{BASE}", "A", Answer(True, a(f"db.shop.{BASE}", "10.1.0.5", "10.1.0.6"))),
        (f"lone.shop.{BASE}", "A", Answer(True)),
        (f"db-0.db.shop.{BASE}", "A", Answer(True, a(f"db-0.db.shop.{BASE}", "10.1.0.5"))),
        (f"10-1-0-6.db.shop.{BASE}", "A", Answer(True, a(f"10-1-0-6.db.shop.{BASE}", "10.1.0.6"))),
        (f"db-2.db.shop.{BASE}", "A", Answer(False)),
        (f"x.web.shop.{BASE}", "A", Answer(False)),
        (f"x.y.z.web.shop.{BASE}", "A", Answer(False)),
        ("10-1-0-5.shop.pod.cluster.local", "A", Answer(True, a("10-1-0-5.shop.pod.cluster.local", "10.1.0.5"))),
        ("10-1-0-5.other.pod.cluster.local", "A", Answer(False)),
        ("shop.svc.cluster.local", "A", Answer(True)),
        ("other.svc.cluster.local", "A", Answer(False)),
        ("cluster.local", "A", Answer(True)),
        ("example.com.shop.svc.cluster.local", "A", Answer(False)),
        ("dns-version.cluster.local", "TXT", Answer(True, (Record("dns-version.cluster.local", Type.TXT, "1.1.0"),))),
        (
            f"_http._tcp.web.shop.{BASE}",
            "SRV",
            Answer(
                True,
                (Record(f"_http._tcp.web.shop.{BASE}", Type.SRV, Srv(80, f"web.shop.{BASE}")),),
                a(f"web.shop.{BASE}", "10.1.128.9"),
            ),
        ),
        (f"_http._udp.web.shop.{BASE}", "SRV", Answer(False)),
        (
            f"mail.shop.{BASE}",
            "A",
            Answer(True, (Record(f"mail.shop.{BASE}", Type.CNAME, "mail.example.com"),), elsewhere="mail.example.com"),
        ),
        (f"mail.shop.{BASE}", "CNAME", Answer(True, (Record(f"mail.shop.{BASE}", Type.CNAME, "mail.example.com"),))),
        (
            f"alias.shop.{BASE}",
            "A",
            Answer(
                True,
                (
                    Record(f"alias.shop.{BASE}", Type.CNAME, f"web.shop.{BASE}"),
                    *a(f"web.shop.{BASE}", "10.1.128.9"),
                ),
            ),
        ),
        (
            "9.128.1.10.in-addr.arpa",
            "PTR",
            Answer(True, (Record("9.128.1.10.in-addr.arpa", Type.PTR, f"web.shop.{BASE}"),)),
        ),
        (
            "5.0.1.10.in-addr.arpa",
            "PTR",
            Answer(True, (Record("5.0.1.10.in-addr.arpa", Type.PTR, f"db-0.db.shop.{BASE}"),)),
        ),
    ],
)
def test_answers(name: str, kind: str, expected: Answer) -> None:
    assert holds(ZONE, name)
    assert answer(ZONE, name, kind) == expected


def test_srv_of_a_headless_service_names_each_ready_endpoint() -> None:
    found = answer(ZONE, f"_sql._tcp.db.shop.{BASE}", "SRV")
    assert [record.data for record in found.records] == [
        Srv(5432, f"db-0.db.shop.{BASE}"),
        Srv(5432, f"10-1-0-6.db.shop.{BASE}"),
    ]
    assert {record.data for record in found.additional} == {"10.1.0.5", "10.1.0.6"}


@pytest.mark.parametrize(
    "name", ["example.com", "notcluster.local", "8.8.8.8.in-addr.arpa", "x.in-addr.arpa", "local", ""]
)
def test_other_names_are_not_ours(name: str) -> None:
    assert not holds(ZONE, name)
