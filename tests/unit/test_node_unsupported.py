from __future__ import annotations

import re

import pytest

from grandstand.kinds import Object
from grandstand.node.unsupported import unsupported


def container(**fields: object) -> Object:
    return {"containers": [{"name": "c", **fields}]}


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"hostUsers": False}, "hostUsers"),
        ({"runtimeClassName": "gvisor"}, "runtimeClassName"),
        ({"shareProcessNamespace": True}, "shareProcessNamespace"),
        ({"setHostnameAsFQDN": True}, "setHostnameAsFQDN"),
        ({"os": {"name": "windows"}}, "os.name"),
        ({"resources": {"limits": {"cpu": "1"}}}, "resources"),
        ({"securityContext": {"seLinuxOptions": {"level": "x"}}}, "seLinuxOptions"),
        ({"securityContext": {"appArmorProfile": {"type": "Localhost"}}}, "appArmorProfile"),
        (container(securityContext={"procMount": "Unmasked"}), r"containers\[c\].securityContext.procMount"),
        (container(livenessProbe={"grpc": {"port": 1}}), r"containers\[c\].livenessProbe.grpc"),
        (container(lifecycle={"preStop": {"tcpSocket": {"port": 1}}}), "lifecycle.preStop.tcpSocket"),
        (container(volumeDevices=[{}]), "volumeDevices"),
        (container(volumeMounts=[{"name": "v", "recursiveReadOnly": "Enabled"}]), "recursiveReadOnly"),
        (container(env=[{"name": "e", "valueFrom": {"fileKeyRef": {}}}]), "fileKeyRef"),
        ({"initContainers": [{"name": "i", "startupProbe": {"grpc": {}}}]}, r"initContainers\[i\].startupProbe"),
    ],
)
def test_what_is_refused_is_named(spec: Object, problem: str) -> None:
    (found,) = unsupported({"containers": [], **spec})
    assert re.search(problem, found)
    assert ":" in found, "it says what to do"


@pytest.mark.parametrize(
    "spec",
    [
        {"hostUsers": True, "shareProcessNamespace": False, "os": {"name": "linux"}},
        {"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}, "supplementalGroupsPolicy": "Merge"}},
        container(securityContext={"procMount": "Default"}, livenessProbe={"httpGet": {"port": 1}}),
        container(lifecycle={"preStop": {"exec": {}}, "stopSignal": "SIGQUIT"}),
    ],
)
def test_what_is_fine(spec: Object) -> None:
    assert unsupported({"containers": [], **spec}) == []
