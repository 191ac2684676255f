"""Services, Ingresses and EndpointSlices: defaults, checks across fields, updates."""

from __future__ import annotations

from typing import Any

import pytest
from api_rules_objects import NOW, changed, created, ingress, plain, refusals, service, update_refusals

from grandstand.api import rules
from grandstand.kinds import Object
from grandstand.kinds.resources import ENDPOINT_SLICES, INGRESSES, SERVICES


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (
            {"ports": [{"port": 80}], "selector": {"app": "web"}},
            {
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "selector": {"app": "web"},
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
            },
        ),
        (
            {"ports": [{"port": 53, "protocol": "UDP", "targetPort": "dns"}], "sessionAffinity": "ClientIP"},
            {
                "ports": [{"port": 53, "protocol": "UDP", "targetPort": "dns"}],
                "type": "ClusterIP",
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
            },
        ),
        (
            {"clusterIP": "None", "sessionAffinity": "None", "sessionAffinityConfig": {"clientIP": {}}},
            {
                "clusterIP": "None",
                "clusterIPs": ["None"],
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
            },
        ),
        (
            {"type": "ExternalName", "externalName": "example.com"},
            {"type": "ExternalName", "externalName": "example.com", "sessionAffinity": "None"},
        ),
    ],
    ids=["plain", "client affinity", "headless", "external name"],
)
def test_a_service_gets_every_default(sent: Object, stored: Object) -> None:
    obj = created(SERVICES, {"metadata": {"name": "web", "namespace": "default"}, "spec": sent})
    assert obj["spec"] == stored
    assert obj["status"] == {"loadBalancer": {}}
    assert rules.validate(SERVICES, obj, None) == ()


SERVICE_WRONG: list[tuple[str, str, Any, str]] = [
    ("no ports", "spec.ports", [], "spec.ports: Required value"),
    (
        "port out of range",
        "spec.ports",
        [{"port": 0, "targetPort": 1}],
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    (
        "several without names",
        "spec.ports",
        [{"port": 1, "name": "a"}, {"port": 2}],
        "spec.ports[1].name: Required value",
    ),
    (
        "same name",
        "spec.ports",
        [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}],
        'spec.ports[1].name: Duplicate value: "a"',
    ),
    (
        "same port",
        "spec.ports",
        [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}],
        'spec.ports[1]: Duplicate value: {"port":1,"protocol":"TCP"}',
    ),
    (
        "node port",
        "spec.ports",
        [{"port": 1, "nodePort": 30000}],
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ),
    (
        "unknown affinity",
        "spec.sessionAffinity",
        "Cookie",
        'spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"',
    ),
    (
        "affinity for too long",
        "spec",
        {
            "ports": [{"port": 1}],
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}},
        },
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: "
        "must be between 1 and 86400, inclusive",
    ),
    ("no address", "spec.clusterIP", "here", 'spec.clusterIP: Invalid value: "here": must be a valid IPv4 address'),
    (
        "two addresses that differ",
        "spec",
        {"ports": [{"port": 1}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]},
        'spec.clusterIPs[0]: Invalid value: "10.0.0.2": must match `clusterIP`',
    ),
    ("no external name", "spec", {"type": "ExternalName"}, "spec.externalName: Required value"),
    (
        "external name with an address",
        "spec",
        {"type": "ExternalName", "externalName": "a.b", "clusterIP": "10.0.0.1"},
        "spec.clusterIP: Forbidden: may not be set for ExternalName services",
    ),
    (
        "external traffic",
        "spec.externalTrafficPolicy",
        "Local",
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ),
    (
        "load balancer field",
        "spec.loadBalancerIP",
        "192.0.2.1",
        "spec.loadBalancerIP: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ),
    (
        "name that starts with a digit",
        "metadata.name",
        "1web",
        'metadata.name: Invalid value: "1web": a DNS-1035 label must consist of lower case alphanumeric characters or '
        "'-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
        "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "refusal"), [row[1:] for row in SERVICE_WRONG], ids=[row[0] for row in SERVICE_WRONG]
)
def test_what_is_wrong_with_a_service(path: str, value: object, refusal: str) -> None:
    assert refusals(SERVICES, changed(service(), path, value)) == [refusal]


def test_a_service_keeps_its_address() -> None:
    stored = created(SERVICES, service(clusterIP="10.0.0.1"))
    replaced = rules.prepare_update(SERVICES, service(ports=[{"port": 81}]), stored, NOW)
    assert (replaced["spec"]["clusterIP"], replaced["spec"]["clusterIPs"]) == ("10.0.0.1", ["10.0.0.1"])
    moved = changed(changed(stored, "spec.clusterIP", "10.0.0.2"), "spec.clusterIPs", ["10.0.0.2"])
    assert update_refusals(SERVICES, moved, service(clusterIP="10.0.0.1")) == [
        'spec.clusterIP: Invalid value: "10.0.0.2": field is immutable'
    ]


def test_a_service_that_becomes_a_name_loses_its_address_and_back() -> None:
    stored = created(SERVICES, service(clusterIP="10.0.0.1"))
    named = changed(changed(stored, "spec.type", "ExternalName"), "spec.externalName", "a.b")
    updated = rules.prepare_update(SERVICES, named, stored, NOW)
    assert rules.validate(SERVICES, updated, stored) == ()
    assert updated["spec"].keys().isdisjoint(("clusterIP", "clusterIPs", "ipFamilies"))
    back = rules.prepare_update(SERVICES, changed(updated, "spec.type", "ClusterIP"), updated, NOW)
    assert rules.validate(SERVICES, back, updated) == ()
    assert "externalName" not in back["spec"]


def test_affinity_of_headless_services_is_warned_of() -> None:
    stored = created(SERVICES, service(clusterIP="None", sessionAffinity="ClientIP"))
    assert rules.warnings(SERVICES, stored) == ("spec.SessionAffinity is ignored for headless services",)


def _backend(**backend: Any) -> dict[str, Any]:
    return {"defaultBackend": backend, "rules": None}


def _path(**path: Any) -> list[Any]:
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    return [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend, **path}]}}]


INGRESS_WRONG: list[tuple[str, Object, str]] = [
    ("nothing", {"rules": []}, "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"),
    (
        "no path type",
        {"rules": _path(pathType=None)},
        "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
    ),
    (
        "unknown path type",
        {"rules": _path(pathType="Regex")},
        'spec.rules[0].http.paths[0].pathType: Unsupported value: "Regex": '
        'supported values: "Exact", "ImplementationSpecific", "Prefix"',
    ),
    (
        "relative path",
        {"rules": _path(path="a")},
        'spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path',
    ),
    (
        "path that climbs",
        {"rules": _path(path="/a/..")},
        "spec.rules[0].http.paths[0].path: Invalid value: \"/a/..\": cannot end with '/..'",
    ),
    (
        "encoded slash",
        {"rules": _path(path="/a%2fb")},
        "spec.rules[0].http.paths[0].path: Invalid value: \"/a%2fb\": must not contain '%2f'",
    ),
    *(
        (
            f"path with {name}",
            {"rules": _path(path=f"/a{character}b", pathType=kind)},
            f'spec.rules[0].http.paths[0].path: Invalid value: "/a{shown}b": '
            "must consist of the characters of a URL's path: encode others as %20",
        )
        for name, character, shown, kind in (
            ("a space", " ", " ", "Prefix"),
            ("a line end", "\n", "\\n", "Exact"),
            ("a command", "; shutdown sessions;", "; shutdown sessions;", "ImplementationSpecific"),
            ("a backslash", "\\", "\\\\", "Prefix"),
            ("a query", "?", "?", "Exact"),
            ("a zero", "\0", "\\u0000", "ImplementationSpecific"),
        )
    ),
    ("no paths", {"rules": [{"http": {"paths": []}}]}, "spec.rules[0].http.paths: Required value"),
    (
        "address as host",
        {"rules": [{"host": "127.0.0.1", **_path()[0]}]},
        'spec.rules[0].host: Invalid value: "127.0.0.1": must be a DNS name, not an IP address',
    ),
    (
        "backend without a port",
        _backend(service={"name": "web"}),
        "spec.defaultBackend: Required value: port name or number is required",
    ),
    (
        "backend with two ports",
        _backend(service={"name": "web", "port": {"name": "http", "number": 80}}),
        'spec.defaultBackend: Invalid value: "": cannot set both port name & port number',
    ),
    ("no backend", _backend(), "spec.defaultBackend: Required value: service must be set"),
]


@pytest.mark.parametrize(("spec", "refusal"), [row[1:] for row in INGRESS_WRONG], ids=[row[0] for row in INGRESS_WRONG])
def test_what_is_wrong_with_an_ingress(spec: Object, refusal: str) -> None:
    assert refusals(INGRESSES, ingress(**spec)) == [refusal]


@pytest.mark.parametrize("host", ["*.example.com", "example.com", "a-b.c"], ids=["wildcard", "plain", "with a hyphen"])
def test_hosts_that_an_ingress_may_have(host: str) -> None:
    assert refusals(INGRESSES, ingress(rules=[{"host": host, **_path()[0]}], tls=[{"hosts": [host]}])) == []


def test_an_ingress_counts_its_generations_and_keeps_its_status() -> None:
    stored = created(INGRESSES, ingress())
    assert (stored["metadata"]["generation"], stored["status"]) == (1, {"loadBalancer": {}})
    updated = rules.prepare_update(INGRESSES, changed(stored, "spec.rules.0.host", "b.c"), stored, NOW)
    assert updated["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("key", "warning"),
    [
        (
            "kubernetes.io/ingress.class",
            "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead",
        ),
        (
            "nginx.ingress.kubernetes.io/rewrite-target",
            "metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]: belongs to another ingress controller, "
            "and has no effect here",
        ),
    ],
    ids=["old class", "of another controller"],
)
def test_warnings_of_ingresses(key: str, warning: str) -> None:
    assert rules.warnings(INGRESSES, changed(ingress(), "metadata.annotations", {key: "x"})) == (warning,)


def test_the_old_class_and_the_new_exclude_each_other() -> None:
    both = changed(ingress(ingressClassName="grandstand"), "metadata.annotations", {"kubernetes.io/ingress.class": "a"})
    assert refusals(INGRESSES, both) == [
        'metadata.annotations[kubernetes.io/ingress.class]: Invalid value: "a": '
        "can not be set when the class field is also set"
    ]


def _slice(**fields: Any) -> Object:
    return plain("EndpointSlice", addressType="IPv4", **fields)


def test_a_slice_gets_every_default() -> None:
    stored = created(ENDPOINT_SLICES, _slice(ports=[{"port": 80}]))
    assert stored["ports"] == [{"port": 80, "name": "", "protocol": "TCP"}]
    assert stored["endpoints"] == []
    assert stored["metadata"]["generation"] == 1
    more = rules.prepare_update(
        ENDPOINT_SLICES, changed(stored, "endpoints", [{"addresses": ["10.0.0.1"]}]), stored, NOW
    )
    assert more["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"endpoints": [{}]}, "endpoints[0].addresses: Required value: must contain at least 1 address"),
        (
            {"endpoints": [{"addresses": ["::1"]}]},
            'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
        ),
        ({"ports": [{"port": 1}, {"port": 2}]}, 'ports[1].name: Duplicate value: ""'),
        (
            {"endpoints": [{"addresses": ["10.0.0.1"]}] * 1001},
            "endpoints: Too many: 1001: must have at most 1000 items",
        ),
    ],
    ids=["no address", "another family", "same name", "too many"],
)
def test_what_is_wrong_with_a_slice(fields: Object, refusal: str) -> None:
    assert refusals(ENDPOINT_SLICES, _slice(**fields)) == [refusal]


def test_the_address_type_is_immutable() -> None:
    assert update_refusals(ENDPOINT_SLICES, changed(_slice(), "addressType", "IPv6"), _slice())[-1] == (
        'addressType: Invalid value: "IPv6": field is immutable'
    )
