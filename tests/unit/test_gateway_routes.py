"""Which Service answers which host: the rule for HTTP ports, and who has a route that several claim."""

from __future__ import annotations

import pytest

from grandstand.gateway.haproxy.configuration import route_map
from grandstand.gateway.routes import UNAVAILABLE, Backend, Protocol, Route, Routes, http_port, routes_for
from grandstand.kinds import Ingress, Key, Object, Service, view


def service(name: str = "web", *ports: Object, **spec: object) -> Service:
    made = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": list(ports) or [{"port": 80}], **spec},
    }
    return view(Service, made)


def ingress(name: str, spec: Object, **meta: object) -> Ingress:
    return view(Ingress, {"metadata": {"name": name, "namespace": "default", **meta}, "spec": spec})


def rule(host: str, path: str, to: str, kind: str = "Prefix", port: object = 80) -> Object:
    chosen = {"number": port} if isinstance(port, int) else {"name": port}
    return {
        "host": host,
        "http": {"paths": [{"path": path, "pathType": kind, "backend": {"service": {"name": to, "port": chosen}}}]},
    }


def routed(*services: Service, ingresses: tuple[Ingress, ...] = ()) -> Routes:
    return routes_for({each.metadata.key: each for each in services}, ingresses)


@pytest.mark.parametrize(
    ("ports", "wanted"),
    [
        ([{"port": 5000}], 5000),
        ([{"port": 9000, "name": "metrics"}, {"port": 80, "name": "http"}], 80),
        ([{"port": 80, "name": "http-web"}, {"port": 81, "name": "other", "appProtocol": "http"}], 81),
        ([{"port": 443, "name": "https"}, {"port": 80, "name": "web"}], 80),
        ([{"port": 443, "name": "https"}], None),
        ([{"port": 443, "name": "web", "appProtocol": "https"}], None),
        ([{"port": 5432, "name": "db", "appProtocol": "postgresql"}], None),
        ([{"port": 53, "name": "dns", "protocol": "UDP"}], None),
        ([{"port": 53, "name": "dns", "protocol": "UDP"}, {"port": 8080, "name": "web"}], 8080),
        ([{"port": 81, "name": "ws", "appProtocol": "kubernetes.io/ws"}], 81),
    ],
    ids=["only", "named", "appProtocol first", "not TLS", "TLS only", "https", "other protocol", "UDP", "TCP", "ws"],
)
def test_the_http_port_of_a_service(ports: list[Object], wanted: int | None) -> None:
    found = http_port(service("web", *ports))
    assert (found.port if found else None) == wanted


def test_an_external_name_has_no_host_of_its_own() -> None:
    assert routed(service(type="ExternalName", externalName="x.example")) == Routes({}, {})


def test_a_service_answers_its_own_host() -> None:
    found = routed(service("web", {"port": 80, "name": "http"}, sessionAffinity="ClientIP"))
    assert found.targets == {Route("web.default.localhost", "/", False): "default.web.80"}
    backend = Backend("default.web.80", Key("default", "web"), "http", Protocol.HTTP, True)
    assert found.backends == {"default.web.80": backend}


@pytest.mark.parametrize(
    ("protocol", "wanted"),
    [(None, Protocol.HTTP), ("kubernetes.io/h2c", Protocol.H2C), ("HTTPS", Protocol.TLS), ("acme/odd", Protocol.HTTP)],
)
def test_what_an_ingress_backend_speaks(protocol: str | None, wanted: Protocol) -> None:
    target = service("web", {"port": 80} | ({"appProtocol": protocol} if protocol else {}))
    found = routed(target, ingresses=(ingress("a", {"rules": [rule("x.example", "/", "web")]}),))
    assert found.backends["default.web.80"].protocol is wanted


@pytest.mark.parametrize(
    ("made", "target"),
    [
        (rule("x.example", "/", "web"), "default.web.80"),
        (rule("x.example", "/", "web", port="admin"), "default.web.81"),
        (rule("x.example", "/", "web", port=99), UNAVAILABLE),
        (rule("x.example", "/", "gone"), UNAVAILABLE),
        ({"host": "x.example"}, "default.web.80"),
        (rule("X.Example", "/", "web"), "default.web.80"),
    ],
    ids=["by number", "by name", "no such port", "no such Service", "host alone", "case"],
)
def test_where_an_ingress_leads(made: Object, target: str) -> None:
    default = {"service": {"name": "web", "port": {"number": 80}}}
    web = service("web", {"port": 80, "name": "http"}, {"port": 81, "name": "admin"})
    found = routed(web, ingresses=(ingress("a", {"rules": [made], "defaultBackend": default}),))
    assert found.targets[Route("x.example", "/", False)] == target
    assert found.targets[Route("*", "/", False)] == "default.web.80"


@pytest.mark.parametrize(
    ("spec", "annotations", "ours"),
    [
        ({}, {}, True),
        ({"ingressClassName": "grandstand"}, {}, True),
        ({"ingressClassName": "nginx"}, {}, False),
        ({}, {"kubernetes.io/ingress.class": "nginx"}, False),
        ({}, {"kubernetes.io/ingress.class": "grandstand"}, True),
    ],
    ids=["none", "ours", "another", "another by annotation", "ours by annotation"],
)
def test_ingresses_of_another_class_are_left_alone(spec: Object, annotations: Object, ours: bool) -> None:
    made = ingress("a", {"rules": [rule("x.example", "/", "web")], **spec}, annotations=annotations)
    found = routed(service(), ingresses=(made,))
    assert (Route("x.example", "/", False) in found.targets) is ours


def test_the_older_ingress_has_a_route_that_two_claim_and_goes_before_a_services_host() -> None:
    host = "web.default.localhost"
    young = ingress("a", {"rules": [rule(host, "/", "web")]}, creationTimestamp="2026-01-02T00:00:00Z")
    old = ingress("b", {"rules": [rule(host, "/", "other")]}, creationTimestamp="2026-01-01T00:00:00Z")
    found = routed(service("web"), service("other"), ingresses=(young, old))
    assert found.targets[Route(host, "/", False)] == "default.other.80"


@pytest.mark.parametrize(
    ("route", "key"),
    [
        (Route("a.b", "/", False), "a.b/"),
        (Route("a.b", "/foo", False), "a.b/foo/"),
        (Route("a.b", "/foo/", False), "a.b/foo/"),
        (Route("a.b", "/foo", True), "a.b/foo/?"),
        (Route("a.b", "/", True), "a.b//?"),
        (Route("*.b", "/", False), "*.b/"),
    ],
)
def test_map_keys(route: Route, key: str) -> None:
    assert route_map({route: "target"}) == {key: "target"}
