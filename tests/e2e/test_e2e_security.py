"""What a container may not do, seen from inside."""

import json
import subprocess

from space import container, job, pod

RESTRICTED = {
    "runAsUser": 1000,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}

STATUS = "cat /proc/self/status"


def fields(text):
    """The lines `Name: value` of a text."""
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in text.splitlines()) if colon}


SYSTEM_CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, number, *arguments):
    result = libc.syscall(number, *arguments)
    print(name, "allowed" if result >= 0 else os.strerror(ctypes.get_errno()))
attempt("unshare", 272, 0x10000000)
attempt("mount", 165, b"none", b"/tmp", b"tmpfs", 0, None)
attempt("keyctl", 250, 0, -3, 0)
attempt("bpf", 321, 0, None, 0)
attempt("getpid", 39)
"""


def test_a_restricted_pod(space):
    script = STATUS + "; touch /x 2>&1; touch /tmp/x 2>&1; true"
    said = space.output(job("p", script, securityContext=RESTRICTED))
    found = fields(said)
    assert found["Uid"].split() == ["1000"] * 4
    assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert said.count("Read-only file system") == 2


def test_the_default_is_already_tight(space):
    found = fields(space.output(job("p", STATUS)))
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    held = int(found["CapEff"], 16)
    forbidden = {"SYS_ADMIN": 21, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_PTRACE": 19, "SYS_MODULE": 16, "MKNOD": 27}
    assert [name for name, bit in forbidden.items() if held >> bit & 1] == []


def test_dangerous_system_calls_are_blocked(space):
    program = container()
    program["command"] = ["python3", "-c", SYSTEM_CALLS]
    lines = space.output(pod("p", program, restartPolicy="Never")).splitlines()
    answers = dict(line.split(" ", 1) for line in lines)
    assert answers.pop("getpid") == "allowed"
    assert set(answers.values()) <= {"Operation not permitted", "Function not implemented"}, answers


def test_capabilities_are_added_and_dropped_by_name(space):
    context = {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
    found = fields(space.output(job("p", STATUS, securityContext=context)))
    assert int(found["CapEff"], 16) == 1 << 10


def test_run_as_non_root_holds_a_root_image(space):
    space.apply(pod("p", container(securityContext={"runAsNonRoot": True})))
    space.wait("pod/p", "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError")
    assert "container has runAsNonRoot and image will run as root" in space.event("p", "Failed")["message"]


def test_a_privileged_pod_is_possible_and_explicit(space):
    found = fields(space.output(job("p", STATUS, securityContext={"privileged": True})))
    assert int(found["CapEff"], 16) >> 21 & 1
    assert found["Seccomp"] == "0"


def test_a_container_sees_only_itself(space):
    program = container()
    program["command"] = ["python3", "-c", LOOK]
    found = json.loads(space.output(pod("p", program, restartPolicy="Never")))
    assert found["processes"] == ["1"]
    assert set(found["interfaces"]) == {"lo", "eth0"}
    assert found["write"] == [False, False]
    assert not {"sda", "vda", "kmsg", "mem", "fuse", "loop0"} & set(found["devices"])


LOOK = """
import json, os
def writable(path):
    try:
        open(path, "r+").close()
        return True
    except OSError:
        return False
print(json.dumps({
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "interfaces": os.listdir("/sys/class/net"),
    "write": [writable("/proc/sys/kernel/panic"), writable("/proc/sysrq-trigger")],
    "devices": os.listdir("/dev"),
}))
"""


def test_the_api_listens_where_no_pod_reaches(space, engine):
    port = engine.api.rsplit(":", 1)[1]
    gateway = space.get("node", "grandstand")["status"]["addresses"][0]["address"]
    program = container()
    program["command"] = ["python3", "-c", REACH, gateway, port]
    assert space.output(pod("p", program, restartPolicy="Never")).split() == [
        "127.0.0.1",
        "refused",
        gateway,
        "refused",
    ]


REACH = """
import socket, sys
for address in ("127.0.0.1", sys.argv[1]):
    try:
        socket.create_connection((address, int(sys.argv[2])), 1).close()
        print(address, "reached")
    except OSError:
        print(address, "refused")
"""


def test_others_on_the_machine_cannot_read_the_state(engine):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for name in ("kubeconfig", "engine.json", "engine.log"):
        done = subprocess.run([*nobody, "cat", engine.data / name], capture_output=True, text=True)
        assert "Permission denied" in done.stderr
