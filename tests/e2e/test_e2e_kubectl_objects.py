"""kubectl's everyday verbs for objects: create, change, look at, delete."""

import json
import stat
import subprocess
from dataclasses import replace

import pytest
import yaml
from space import config_map, container, deployment, eventually, manifest, payment, pod, secret, service


def test_apply_creates_then_changes_then_leaves_alone(space):
    assert "deployment.apps/web created" in space.apply(deployment("web"))
    assert "deployment.apps/web configured" in space.apply(deployment("web", replicas=2))
    before = space.get("deployment", "web")["metadata"]["generation"]
    assert "deployment.apps/web unchanged" in space.apply(deployment("web", replicas=2))
    assert space.get("deployment", "web")["metadata"]["generation"] == before


def test_server_side_apply_keeps_managers_apart(space):
    assert "serverside-applied" in space.apply(config_map("c", a="1"), server_side=True)
    managers = space.get("configmap", "c", "--show-managed-fields")["metadata"]["managedFields"]
    assert [m["manager"] for m in managers] == ["kubectl"]
    said = space.refused(
        "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=manifest(config_map("c", a="2"))
    )
    assert "Apply failed with 1 conflict" in said
    space.kubectl(
        "apply",
        "--server-side",
        "--field-manager=other",
        "--force-conflicts",
        "-f",
        "-",
        stdin=manifest(config_map("c", a="2")),
    )
    assert space.get("configmap", "c")["data"] == {"a": "2"}


def test_apply_drops_what_left_the_manifest(space):
    space.apply(config_map("c", a="1", b="2"))
    space.apply(config_map("c", b="2"))
    assert space.get("configmap", "c")["data"] == {"b": "2"}


def test_a_deployment_without_selector_is_refused_as_by_kubernetes(space):
    broken = deployment("web")
    del broken["spec"]["selector"]
    said = space.refused("apply", "-f", "-", stdin=json.dumps(broken))
    assert 'The Deployment "web" is invalid' in said
    assert "spec.selector: Required value" in said
    assert "`selector` does not match template `labels`" in said


def test_unknown_fields_are_refused_or_warned_of(space):
    typo = config_map("c") | {"datum": {}}
    assert 'unknown field "datum"' in space.refused("create", "-f", "-", stdin=json.dumps(typo))
    said = space.try_kubectl("create", "--validate=warn", "-f", "-", stdin=json.dumps(typo))
    assert (said.code, 'unknown field "datum"' in said.error) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "document", "message"),
    [
        (
            ("apply",),
            {"apiVersion": "example.com/v1", "kind": "Cake", "metadata": {"name": "c"}},
            "no matches for kind",
        ),
        (("create",), pod("Not_A_Name"), "a lowercase RFC 1123 subdomain must consist of"),
        (("create",), {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}, "spec.containers"),
        (("create",), deployment("web", replicas=-1), "must be greater than or equal to 0"),
        (("create",), pod("p", container(resources={"limits": {"cpu": "much"}})), "quantities must match"),
    ],
    ids=["unknown kind", "bad name", "no containers", "negative replicas", "no quantity"],
)
def test_wrong_objects_are_refused_with_a_reason(space, arguments, document, message):
    assert message in space.refused(*arguments, "-f", "-", stdin=json.dumps(document))


def test_diff_shows_what_apply_would_change(space):
    space.apply(deployment("web"))
    assert space.try_kubectl("diff", "-f", "-", stdin=manifest(deployment("web"))).code == 0
    said = space.try_kubectl("diff", "-f", "-", stdin=manifest(deployment("web", replicas=3)))
    assert said.code == 1, said
    assert "-  replicas: 1" in said.out
    assert "+  replicas: 3" in said.out


def test_dry_run_checks_and_changes_nothing(space):
    said = space.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest(config_map("c")))
    assert "created (server dry run)" in said
    assert "c" not in [c["metadata"]["name"] for c in space.get("configmaps")]


def test_label_and_annotate(space):
    space.apply(config_map("c"))
    space.kubectl("label", "configmap/c", "tier=front")
    assert "already has a value" in space.refused("label", "configmap/c", "tier=back")
    space.kubectl("label", "configmap/c", "tier=back", "--overwrite")
    space.kubectl("annotate", "configmap/c", "note=hello")
    assert [c["metadata"]["name"] for c in space.get("configmaps", "", "-l", "tier in (back),!none")] == ["c"]
    space.kubectl("label", "configmap/c", "tier-")
    meta = space.get("configmap", "c")["metadata"]
    assert "tier" not in meta.get("labels", {})
    assert meta["annotations"]["note"] == "hello"


def test_edit_with_an_editor(space):
    space.apply(config_map("c", colour="red"))
    said = space.kubectl("edit", "configmap/c", KUBE_EDITOR="sed -i s/red/blue/")
    assert "configmap/c edited" in said
    assert space.get("configmap", "c")["data"] == {"colour": "blue"}


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", {"data": {"b": "2"}}),
        ("merge", {"data": {"b": "2"}}),
        ("json", [{"op": "add", "path": "/data/b", "value": "2"}]),
    ],
)
def test_patch(space, kind, patch):
    space.apply(config_map("c", a="1"))
    space.kubectl("patch", "configmap/c", f"--type={kind}", "-p", json.dumps(patch))
    assert space.get("configmap", "c")["data"] == {"a": "1", "b": "2"}


def test_replace_with_an_old_version_conflicts(space):
    space.apply(config_map("c", a="1"))
    old = space.get("configmap", "c")
    space.kubectl("label", "configmap/c", "new=er")
    assert "the object has been modified" in space.refused("replace", "-f", "-", stdin=json.dumps(old))


def test_get_in_every_format(space):
    space.apply(deployment("web"))
    space.kubectl("rollout", "status", "deployment/web")
    assert space.kubectl("get", "deploy").split()[:5] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    row = space.kubectl("get", "deploy", "web", "-o", "wide", "--no-headers").split()
    assert row[:4] == ["web", "1/1", "1", "1"]
    assert row[5:] == ["main", "localhost/debian-python:12", "app=web"]
    assert space.kubectl("get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}") == "1"
    assert space.kubectl("get", "deploy", "-o", "name").strip() == "deployment.apps/web"
    assert yaml.safe_load(space.kubectl("get", "deploy", "web", "-o", "yaml"))["kind"] == "Deployment"
    columns = space.kubectl("get", "deploy", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas")
    assert [line.split() for line in columns.splitlines()] == [["N", "R"], ["web", "1"]]
    everything = space.kubectl("get", "all")
    assert {line.split("/")[0] for line in everything.splitlines() if "/" in line} >= {
        "pod",
        "deployment.apps",
        "replicaset.apps",
    }
    assert "web-" in space.kubectl("get", "pods", "--all-namespaces")
    assert "No resources found" in space.try_kubectl("get", "services").error
    assert '"nothing" not found' in space.refused("get", "pod", "nothing")


def test_get_watch_shows_a_pod_from_creation_to_its_end(space):
    watching = space.start("get", "pods", "--watch", "--output-watch-events")
    try:
        space.run(pod("p"))
        space.kubectl("delete", "pod", "p")
        rows = []
        for line in watching.stdout:
            rows.append(line.split())
            if rows[-1][0] == "DELETED":
                break
    finally:
        watching.kill()
        watching.communicate()
    kinds = [row[0] for row in rows]
    assert kinds[:2] == ["EVENT", "ADDED"]
    states = [row[3] for row in rows[1:]]
    assert states[0] == "Pending"
    assert "Running" in states
    assert "Terminating" in states
    assert states.index("Running") < states.index("Terminating")


def test_describe_tells_the_story_in_order(space):
    space.run(pod("p"))
    space.event("p", "Started")
    said = space.kubectl("describe", "pod", "p")
    happened = [line.split()[1] for line in said.partition("Events:")[2].splitlines()[3:]]
    assert happened == ["Scheduled", "Pulled", "Created", "Started"]
    space.apply(deployment("web"), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    said = space.kubectl("describe", "deployment", "web")
    assert "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in said
    assert "Scaled up replica set web-" in said
    assert "Selector:" in space.kubectl("describe", "service", "web")
    assert "Ready" in space.kubectl("describe", "node")


def test_events(space):
    space.run(pod("p"))
    space.event("p", "Started")
    lines = space.kubectl("events", "--for", "pod/p", "--no-headers").splitlines()
    assert [line.split()[2] for line in lines] == ["Scheduled", "Pulled", "Created", "Started"]


def test_explain_and_api_resources(space):
    assert "restartPolicy" in space.kubectl("explain", "pod.spec")
    assert "maxSurge" in space.kubectl("explain", "deployment.spec.strategy.rollingUpdate")
    names = space.kubectl("api-resources", "-o", "name").split()
    assert set(names) >= {
        "configmaps",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "events",
        "horizontalpodautoscalers.autoscaling",
        "ingresses.networking.k8s.io",
        "leases.coordination.k8s.io",
        "namespaces",
        "nodes",
        "pods",
        "replicasets.apps",
        "secrets",
        "serviceaccounts",
        "services",
    }
    assert "apps/v1" in space.kubectl("api-versions").split()
    assert json.loads(space.kubectl("version", "-o", "json"))["serverVersion"]["major"] == "1"


def test_auth_can_i_and_whoami(space):
    assert space.kubectl("auth", "can-i", "create", "deployments").strip() == "yes"
    assert "*.*" in space.kubectl("auth", "can-i", "--list")
    assert "system:masters" in space.kubectl("auth", "whoami")


def test_cluster_info(space, engine):
    assert engine.api in space.kubectl("cluster-info")
    node = space.get("node", "grandstand")
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
    assert int(node["status"]["capacity"]["cpu"]) >= 1


def test_create_run_and_expose(space):
    space.kubectl("create", "configmap", "c", "--from-literal=a=1")
    space.kubectl("create", "secret", "generic", "s", "--from-literal=a=1")
    space.kubectl("create", "service", "clusterip", "other", "--tcp=80:8000")
    space.kubectl("create", "deployment", "web", "--image=payment-app:v1", "--replicas=2", "--port=8000")
    space.kubectl("expose", "deployment", "web", "--port=80", "--target-port=8000")
    space.kubectl("run", "one", "--image=payment-app:v1", "--restart=Never", "--env=A=b")
    space.kubectl("autoscale", "deployment", "web", "--min=1", "--max=5", "--cpu=80%")
    space.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    space.wait("pod/one")
    assert space.get("configmap", "c")["data"] == {"a": "1"}
    assert space.get("secret", "s")["data"] == {"a": "MQ=="}
    assert space.get("service", "web")["spec"]["selector"] == {"app": "web"}
    assert space.get("hpa", "web")["spec"]["maxReplicas"] == 5
    assert space.get("pod", "one")["spec"]["containers"][0]["env"] == [{"name": "A", "value": "b"}]


def test_delete_by_label_and_all(space):
    labelled = [config_map(f"c{i}") for i in range(3)]
    for obj in labelled:
        obj["metadata"]["labels"] = {"set": "x"}
    space.apply(*labelled, config_map("other"))
    space.kubectl("delete", "configmap", "-l", "set=x")
    assert "other" in [c["metadata"]["name"] for c in space.get("configmaps")]
    space.kubectl("delete", "configmap", "--all")
    assert "other" not in [c["metadata"]["name"] for c in space.get("configmaps")]


def test_delete_a_deployment_and_keep_its_pods(space):
    space.apply(deployment("web"))
    space.kubectl("rollout", "status", "deployment/web")
    (before,) = space.get("pods")
    space.kubectl("delete", "deployment", "web", "--cascade=orphan")
    (kept,) = space.get("replicasets")
    assert "ownerReferences" not in kept["metadata"]
    (after,) = space.get("pods")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    # The same manifest again adopts what was orphaned.
    space.apply(deployment("web"))
    space.kubectl("rollout", "status", "deployment/web")
    assert [p["metadata"]["uid"] for p in space.get("pods")] == [before["metadata"]["uid"]]


def test_delete_a_deployment_in_the_foreground(space):
    space.apply(deployment("web", replicas=2))
    space.kubectl("rollout", "status", "deployment/web")
    space.kubectl("delete", "deployment", "web", "--cascade=foreground")
    assert space.get("replicasets") == []
    assert space.get("pods") == []


def test_delete_by_force_is_over_at_once(space):
    space.run(pod("stubborn", container("trap '' TERM; sleep 1d & wait; wait"), terminationGracePeriodSeconds=60))
    space.kubectl("delete", "pod", "stubborn", "--force", "--grace-period=0", timeout=10)
    assert space.get("pods") == []


def test_a_namespace_takes_everything_with_it(space):
    space.kubectl("create", "namespace", f"{space.name}-b")
    other = replace(space, name=f"{space.name}-b")
    other.apply(deployment("web", payment(), replicas=2), config_map("c"), service("web"))
    other.kubectl("rollout", "status", "deployment/web")
    space.kubectl("delete", "namespace", other.name, "--timeout=30s")
    assert "not found" in space.refused("get", "namespace", other.name)
    kinds = "pods,configmaps,services,deployments,replicasets,endpointslices,events,serviceaccounts"
    left = space.kubectl("get", kinds, "-A", "-o", "jsonpath={.items[*].metadata.namespace}").split()
    assert other.name not in left


def test_wait_for_a_value_and_for_deletion(space):
    space.apply(pod("p"))
    space.wait("pod/p", "jsonpath={.status.phase}=Running")
    waiting = space.start("wait", "--for=delete", "pod/p", "--timeout=30s")
    space.kubectl("delete", "pod", "p", "--wait=false")
    out, error = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, error
    assert "condition met" in out
    said = space.refused("wait", "--for=condition=Ready=false", "node/grandstand", "--timeout=1s")
    assert "timed out waiting for the condition" in said


def test_the_kubeconfig_is_private_and_others_get_401(space, engine, tmp_path):
    assert stat.S_IMODE(engine.kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE(engine.data.stat().st_mode) == 0o700
    config = yaml.safe_load(engine.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "guessed"}
    (tmp_path / "stranger").write_text(yaml.safe_dump(config))
    said = space.refused("--kubeconfig", tmp_path / "stranger", "get", "pods")
    assert "You must be logged in to the server" in said
    curl = ["curl", "--silent", "--insecure", "--write-out", "%{http_code}", "--output", "/dev/null"]
    for path, code in (("/api/v1/pods", "401"), ("/apis", "401"), ("/livez", "200")):
        done = subprocess.run([*curl, engine.api + path], capture_output=True, text=True, check=True)
        assert (path, done.stdout) == (path, code)


def test_long_lists_come_in_pieces(space):
    space.apply(*(config_map(f"c{i:02}") for i in range(25)))
    names = [c["metadata"]["name"] for c in space.get("configmaps", "", "--chunk-size=10")]
    assert [name for name in names if name.startswith("c")] == [f"c{i:02}" for i in range(25)]


def test_field_selectors(space):
    space.run(pod("a"))
    space.apply(pod("b", container("exit 0"), restartPolicy="Never"))
    space.wait("pod/b", "jsonpath={.status.phase}=Succeeded")
    assert [p["metadata"]["name"] for p in space.get("pods", "", "--field-selector=status.phase=Running")] == ["a"]
    assert len(space.get("pods", "", "--field-selector=spec.nodeName=grandstand")) == 2


def test_secrets_are_not_shown_by_describe(space):
    space.apply(secret("s", password="hunter2"))
    assert "hunter2" not in space.kubectl("describe", "secret", "s")


def test_generated_names(space):
    for _ in range(2):
        made = pod("x")
        made["metadata"] = {"generateName": "job-"}
        space.kubectl("create", "-f", "-", stdin=json.dumps(made))
    names = [p["metadata"]["name"] for p in space.get("pods")]
    assert len(set(names)) == 2
    assert all(name.startswith("job-") for name in names)


def test_a_finalizer_holds_an_object(space):
    held = config_map("c")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    space.apply(held)
    space.kubectl("delete", "configmap", "c", "--wait=false")
    assert space.get("configmap", "c")["metadata"]["deletionTimestamp"]
    space.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: space.try_kubectl("get", "configmap", "c").code == 1, "the object is gone")


def test_a_pod_that_heeds_sigterm_goes_at_once(space):
    space.run(pod("p"))
    space.kubectl("delete", "pod", "p", timeout=4)
