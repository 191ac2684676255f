"""What a container finds inside: environment, files, limits."""

import json

import pytest
from space import IDLE, config_map, container, eventually, job, pod, secret


def reference(kind, name, key, **fields):
    return {"valueFrom": {kind: {"name": name, "key": key, **fields}}}


def field(path):
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def resource(name, **fields):
    return {"valueFrom": {"resourceFieldRef": {"resource": name, **fields}}}


def test_every_source_of_the_environment(space):
    space.apply(config_map("c", colour="red", all="of it"), secret("s", password="hunter2"))
    env = {
        "PLAIN": {"value": "p"},
        "EXPANDED": {"value": "$(PLAIN)-$(PLAIN)-$$(PLAIN)-$(NONE)"},
        "FROM_MAP": reference("configMapKeyRef", "c", "colour"),
        "FROM_SECRET": reference("secretKeyRef", "s", "password"),
        "OPTIONAL": reference("secretKeyRef", "none", "x", optional=True),
        "POD": field("metadata.name"),
        "NAMESPACE": field("metadata.namespace"),
        "LABEL": field("metadata.labels['app']"),
        "NOTE": field("metadata.annotations['note']"),
        "IP": field("status.podIP"),
        "NODE": field("spec.nodeName"),
        "ACCOUNT": field("spec.serviceAccountName"),
        "CPU": resource("limits.cpu", divisor="1m"),
        "MEMORY": resource("requests.memory", divisor="1Mi"),
    }
    made = job(
        "p",
        "env",
        env=[{"name": name, **source} for name, source in env.items()],
        envFrom=[{"configMapRef": {"name": "c"}, "prefix": "C_"}, {"secretRef": {"name": "none", "optional": True}}],
        resources={"limits": {"cpu": "250m", "memory": "64Mi"}, "requests": {"memory": "32Mi"}},
    )
    made["metadata"]["annotations"] = {"note": "hello"}
    found = dict(line.split("=", 1) for line in space.output(made).splitlines())
    address = space.get("pod", "p")["status"]["podIP"]
    assert {name: found.get(name) for name in (*env, "C_colour", "C_all", "HOSTNAME")} == {
        "PLAIN": "p",
        "EXPANDED": "p-p-$(PLAIN)-$(NONE)",
        "FROM_MAP": "red",
        "FROM_SECRET": "hunter2",
        "OPTIONAL": None,
        "POD": "p",
        "NAMESPACE": space.name,
        "LABEL": "p",
        "NOTE": "hello",
        "IP": address,
        "NODE": "grandstand",
        "ACCOUNT": "default",
        "CPU": "250",
        "MEMORY": "32",
        "C_colour": "red",
        "C_all": "of it",
        "HOSTNAME": "p",
    }


def test_a_missing_source_holds_the_pod_until_it_comes(space):
    wants = container('echo "$A"; ' + IDLE, env=[{"name": "A", **reference("configMapKeyRef", "late", "a")}])
    space.apply(pod("p", wants))
    reason = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError"
    space.wait("pod/p", reason)
    assert 'configmap "late" not found' in space.event("p", "Failed")["message"]
    space.apply(config_map("late", a="now"))
    space.wait("pod/p", seconds=5)
    assert space.kubectl("logs", "p") == "now\n"


def test_a_missing_volume_source_is_said_and_awaited(space):
    mounted = container("cat /etc/c/a; " + IDLE, volumeMounts=[{"name": "c", "mountPath": "/etc/c"}])
    space.apply(pod("p", mounted, volumes=[{"name": "c", "configMap": {"name": "late"}}]))
    assert 'configmap "late" not found' in space.event("p", "FailedMount")["message"]
    space.apply(config_map("late", a="now"))
    space.wait("pod/p", seconds=5)
    assert space.kubectl("logs", "p") == "now"


def test_files_of_every_kind_of_volume(space, tmp_path):
    (tmp_path / "from-host").write_text("host\n")
    space.apply(config_map("c", a="map-a\n", b="map-b\n"), secret("s", password="hunter2\n"))
    volumes = {
        "map": {"configMap": {"name": "c", "items": [{"key": "a", "path": "deep/a", "mode": 0o400}]}},
        "secret": {"secret": {"secretName": "s", "defaultMode": 0o440}},
        "host": {"hostPath": {"path": str(tmp_path), "type": "Directory"}},
        "down": {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        "scratch": {"emptyDir": {}},
        "memory": {"emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        "all": {
            "projected": {
                "sources": [
                    {"configMap": {"name": "c", "items": [{"key": "b", "path": "b"}]}},
                    {"secret": {"name": "s", "items": [{"key": "password", "path": "p"}]}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                ]
            }
        },
    }
    script = """
        cat /v/map/deep/a /v/secret/password /v/host/from-host /v/down/labels; echo
        cat /v/all/b /v/all/p /v/all/name; echo
        stat -L -c %a /v/map/deep/a /v/secret/password
        echo x > /v/scratch/x && echo scratch written
        stat -f -c %T /v/memory
        stat -f -c %T /v/secret
        (echo x > /v/map/x) 2>/dev/null || echo map is read-only
        cat /one/file
    """
    mounts = [{"name": name, "mountPath": f"/v/{name}"} for name in volumes]
    mounts.append({"name": "host", "mountPath": "/one/file", "subPath": "from-host", "readOnly": True})
    made = job("p", script, volumeMounts=mounts, volumes=[{"name": name, **source} for name, source in volumes.items()])
    assert space.output(made).splitlines() == [
        "map-a",
        "hunter2",
        "host",
        'app="p"',
        "map-b",
        "hunter2",
        "p",
        "400",
        "440",
        "scratch written",
        "tmpfs",
        "tmpfs",
        "map is read-only",
        "host",
    ]


def test_a_config_map_volume_follows_its_source(space):
    space.apply(config_map("c", colour="red"))
    script = """python3 -uc '
import os, time
seen = None
while True:
    now = open("/etc/c/colour").read(), os.path.exists("/etc/c/new")
    if now != seen: print(*now, flush=True)
    seen = now
    time.sleep(0.02)
'"""
    mounted = container(script, volumeMounts=[{"name": "c", "mountPath": "/etc/c"}])
    space.run(pod("p", mounted, volumes=[{"name": "c", "configMap": {"name": "c"}}]))
    following = space.start("logs", "--follow", "p")
    try:
        assert following.stdout.readline() == "red False\n"
        space.apply(config_map("c", colour="blue", new="1"))
        # Both at once: a half-changed volume would show the line `blue False` or `red True`.
        assert following.stdout.readline() == "blue True\n"
    finally:
        following.kill()
        following.communicate()


def test_an_immutable_config_map_stays_as_it_is(space):
    space.apply(config_map("c", a="1") | {"immutable": True})
    said = space.refused("apply", "-f", "-", stdin=json.dumps(config_map("c", a="2") | {"immutable": True}))
    assert "field is immutable when `immutable` is set" in said


def test_host_names(space):
    aliases = [{"ip": "10.9.8.7", "hostnames": ["db.example.com"]}]
    script = "cat /etc/hostname /etc/hosts /etc/resolv.conf"
    made = pod("p", container(script), hostname="other", hostAliases=aliases, restartPolicy="Never")
    lines = [line.split() for line in space.output(made).splitlines()]
    assert lines[0] == ["other"]
    assert ["10.9.8.7", "db.example.com"] in lines
    (search,) = [words[1:] for words in lines if words[:1] == ["search"]]
    assert search[0] == f"{space.name}.svc.cluster.local"


def test_fs_group_owns_volumes(space):
    made = job(
        "p",
        "id -G; stat -c %g /v; touch /v/x && stat -c %g /v/x",
        volumeMounts=[{"name": "v", "mountPath": "/v"}],
        volumes=[{"name": "v", "emptyDir": {}}],
        securityContext={"runAsUser": 1000},
    )
    made["spec"]["securityContext"] = {"fsGroup": 2000}
    groups, owner, written = space.output(made).splitlines()
    assert "2000" in groups.split()
    assert (owner, written) == ("2000", "2000")


def test_limits_are_in_the_cgroup(space):
    limits = {"limits": {"cpu": "500m", "memory": "96Mi"}, "requests": {"cpu": "250m"}}
    script = """
        if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
            cat /sys/fs/cgroup/memory.max; cut -d' ' -f1 /sys/fs/cgroup/cpu.max
        else
            cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us
        fi
    """
    assert space.output(job("p", script, resources=limits)).split() == [str(96 << 20), "50000"]
    assert space.get("pod", "p")["status"]["qosClass"] == "Burstable"


THREADS = """
import os, threading
hold = threading.Event()
try:
    for _ in range(100_000):
        threading.Thread(target=hold.wait, daemon=True).start()
except RuntimeError:
    print("stopped", flush=True)
os._exit(0)
"""


def test_a_pod_may_not_start_endless_processes(space):
    program = container()
    program["command"] = ["python3", "-c", THREADS]
    assert space.output(pod("p", program, restartPolicy="Never")) == "stopped\n"


def test_an_empty_dir_that_overflows_evicts(space):
    filler = container("head -c 6000000 /dev/zero > /v/x; " + IDLE, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    space.apply(pod("p", filler, volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]))
    space.wait("pod/p", "jsonpath={.status.reason}=Evicted", 30)
    assert "exceeds the limit" in space.get("pod", "p")["status"]["message"]


@pytest.mark.parametrize("kind", ["Directory", "File"])
def test_a_host_path_of_another_type_is_refused(space, kind, tmp_path):
    path = tmp_path / "x"
    if kind == "Directory":
        path.touch()
    else:
        path.mkdir()
    space.apply(pod("p", volumes=[{"name": "h", "hostPath": {"path": str(path), "type": kind}}]))
    assert "hostPath type check failed" in space.event("p", "FailedMount")["message"]
    eventually(lambda: space.get("pod", "p")["status"]["phase"] == "Pending", "the Pod waits")
