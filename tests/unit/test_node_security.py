from __future__ import annotations

import pytest

from grandstand.kinds import Object, Pod, view
from grandstand.node.runtime import ALL_CAPABILITIES
from grandstand.node.security import (
    ROOT_CAPABILITIES,
    Disallowed,
    capabilities,
    check_not_root,
    security,
    sysctls,
    user_text,
)


def pod(context: Object | None = None, of_pod: Object | None = None, **spec: object) -> Pod:
    body = {"containers": [{"name": "c", "securityContext": context or {}}], "securityContext": of_pod or {}, **spec}
    return view(Pod, {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": body})


@pytest.mark.parametrize(
    ("context", "of_pod", "image", "user"),
    [
        ({}, {}, "", "0"),
        ({}, {}, "web:www", "web:www"),
        ({"runAsUser": 5}, {}, "web:www", "5"),
        ({}, {"runAsUser": 6, "runAsGroup": 7}, "web", "6:7"),
        ({"runAsUser": 0}, {"runAsUser": 6}, "", "0"),
        ({"runAsGroup": 9}, {}, "web:www", "web:9"),
    ],
    ids=["root", "the image's", "the container's", "the Pod's", "zero is a value", "group only"],
)
def test_user(context: Object, of_pod: Object, image: str, user: str) -> None:
    wanted = pod(context, of_pod)
    assert user_text(wanted, wanted.spec.containers[0], image) == user


@pytest.mark.parametrize(
    ("context", "of_pod", "image", "complaint"),
    [
        ({}, {}, "", None),
        ({"runAsNonRoot": True, "runAsUser": 5}, {}, "", None),
        ({"runAsNonRoot": True}, {}, "1000", None),
        ({"runAsNonRoot": False}, {"runAsNonRoot": True}, "0", None),
        ({"runAsNonRoot": True, "runAsUser": 0}, {}, "1000", "runAsUser breaks non-root policy"),
        ({}, {"runAsNonRoot": True}, "", "image will run as root"),
        ({"runAsNonRoot": True}, {}, "0:5", "image will run as root"),
        ({"runAsNonRoot": True}, {}, "web", r"non-numeric user \(web\)"),
    ],
    ids=["not asked", "given", "image", "container wins", "root given", "image root", "image 0", "image name"],
)
def test_run_as_non_root(context: Object, of_pod: Object, image: str, complaint: str | None) -> None:
    wanted = pod(context, of_pod)
    if complaint is None:
        check_not_root(wanted, wanted.spec.containers[0], image)
    else:
        with pytest.raises(Disallowed, match=complaint):
            check_not_root(wanted, wanted.spec.containers[0], image)


@pytest.mark.parametrize(
    ("context", "as_root", "granted"),
    [
        ({}, True, set(ROOT_CAPABILITIES)),
        ({}, False, set()),
        ({"capabilities": {"drop": ["ALL"]}}, True, set()),
        ({"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}, False, {"CAP_NET_BIND_SERVICE"}),
        ({"capabilities": {"drop": ["CHOWN"]}}, True, ROOT_CAPABILITIES - {"CAP_CHOWN"}),
        ({"capabilities": {"add": ["ALL"]}}, True, set(ALL_CAPABILITIES)),
        ({"privileged": True}, True, set(ALL_CAPABILITIES)),
    ],
    ids=["root", "not root", "drop all", "drop all add one", "drop one", "add all", "privileged"],
)
def test_capabilities(context: Object, as_root: bool, granted: set[str]) -> None:
    assert set(capabilities(pod(context).spec.containers[0], runs_as_root=as_root)) == granted


@pytest.mark.parametrize(
    ("context", "of_pod", "no_new_privileges", "seccomp"),
    [
        ({}, {}, True, True),
        ({"allowPrivilegeEscalation": True}, {}, False, True),
        ({"privileged": True}, {}, False, False),
        ({"seccompProfile": {"type": "Unconfined"}}, {}, True, False),
        ({"seccompProfile": {"type": "RuntimeDefault"}}, {"seccompProfile": {"type": "Unconfined"}}, True, True),
    ],
    ids=["default", "escalation asked for", "privileged", "unconfined", "container wins"],
)
def test_privileges(context: Object, of_pod: Object, no_new_privileges: bool, seccomp: bool) -> None:
    wanted = pod(context, of_pod)
    found = security(wanted, wanted.spec.containers[0], runs_as_root=True)
    assert (found.no_new_privileges, found.seccomp) == (no_new_privileges, seccomp)


@pytest.mark.parametrize(
    "context",
    [{"capabilities": {"add": ["FLY"]}}, {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}],
    ids=["unknown capability", "seccomp profile"],
)
def test_what_cannot_be_enforced_is_refused(context: Object) -> None:
    wanted = pod(context)
    with pytest.raises(Disallowed):
        security(wanted, wanted.spec.containers[0], runs_as_root=True)


@pytest.mark.parametrize(
    ("name", "spec", "allowed"),
    [
        ("net.ipv4.ip_unprivileged_port_start", {}, True),
        ("net.ipv4.ip_unprivileged_port_start", {"hostNetwork": True}, False),
        ("kernel.shm_rmid_forced", {"hostIPC": True}, False),
        ("kernel.panic", {}, False),
    ],
    ids=["safe", "of the host's network", "of the host's ipc", "of the machine"],
)
def test_sysctls(name: str, spec: Object, allowed: bool) -> None:
    wanted = pod(None, {"sysctls": [{"name": name, "value": "1"}]}, **spec)
    if allowed:
        assert sysctls(wanted) == {name: "1"}
    else:
        with pytest.raises(Disallowed, match="forbidden sysctl"):
            sysctls(wanted)
