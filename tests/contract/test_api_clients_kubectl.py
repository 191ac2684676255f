"""The less common commands of kubectl: what works, and what is refused says why."""

from __future__ import annotations

import asyncio
import json
import re

import aiohttp
import pytest
import pytest_asyncio
from api_programs import Programs
from api_request_log import recorded
from api_server_world import config_map, deployment, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(world, tmp_path):
    return Programs(world, await world.namespace(), tmp_path)


async def test_every_resource_is_listed_with_its_verbs_and_explained(cluster):
    listed = await cluster.kubectl("api-resources", "-o", "wide", "--no-headers")
    rows = [line.split() for line in listed.splitlines()]
    verbs = {row[0]: row[-2] if row[-1] == "all" else row[-1] for row in rows if "metrics.k8s.io/v1beta1" not in row}
    assert [row[-1] for row in rows if "metrics.k8s.io/v1beta1" in row] == ["get,list"] * 2
    assert verbs["pods"] == "create,delete,deletecollection,get,list,patch,update,watch"
    assert verbs["selfsubjectaccessreviews"] == "create"
    found = (await cluster.kubectl("api-resources", "-o", "name", "--verbs=list")).split()
    # kubectl takes `pods.metrics.k8s.io` for a field of Pods; it knows these by their kinds.
    names = [name for name in found if not name.endswith("metrics.k8s.io")]
    explained = await asyncio.gather(*(cluster.kubectl("explain", name, "--recursive") for name in names))
    assert len(names) >= 14
    assert all("FIELDS:" in text for text in explained)


@pytest.mark.parametrize(("name", "field"), [("podmetrics", "containers.usage"), ("nodemetrics", "usage")])
async def test_what_is_measured_is_explained(cluster, name, field):
    explained = await cluster.kubectl("explain", f"{name}.{field}", "--api-version=metrics.k8s.io/v1beta1")
    assert "GROUP:      metrics.k8s.io" in explained
    assert "What is used: cpu as a mean over the window" in explained
    assert "timestamp" in await cluster.kubectl("explain", name)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", '"/apis/apps/v1"'),
        ("/api", '"APIVersions"'),
        ("/apis/apps", '"APIGroup"'),
        ("/version", '"gitVersion":"v1.37'),
        ("/healthz", "ok"),
        ("/readyz?verbose", "readyz check passed"),
        ("/openapi/v3", '"apis/apps/v1"'),
        ("/api/v1/namespaces/default", '"kind":"Namespace"'),
    ],
)
async def test_raw(cluster, path, said):
    assert said in await cluster.kubectl("get", "--raw", path)


@pytest.mark.parametrize("server_side", [True, False], ids=["server-side", "client-side"])
async def test_an_apply_set_prunes_what_is_no_longer_there(cluster, server_side):
    cluster.environment["KUBECTL_APPLYSET"] = "true"
    options = ("--prune", "--applyset=secret/mine", *(("--server-side",) if server_side else ()))
    both = {"apiVersion": "v1", "kind": "List", "items": [config_map("a"), config_map("b")]}
    await cluster.kubectl("apply", *options, "-f", "-", stdin=both)
    assert "configmap/b pruned" in await cluster.kubectl("apply", *options, "-f", "-", stdin=config_map("a"))
    assert await cluster.kubectl("get", "configmaps", "-o", "name") == "configmap/a\n"


async def test_prune_by_label_with_the_kinds_that_are_served(cluster):
    both = {"apiVersion": "v1", "kind": "List", "items": [config_map(name, labels={"set": "x"}) for name in "ab"]}
    await cluster.kubectl("apply", "-f", "-", stdin=both)
    options = ("--prune", "-l", "set=x", "--prune-allowlist=core/v1/ConfigMap")
    said = await cluster.kubectl("apply", *options, "-f", "-", stdin=config_map("a", labels={"set": "x"}))
    assert "configmap/b pruned" in said


async def test_three_kinds_of_patch(cluster):
    await cluster.kubectl("apply", "-f", "-", stdin=deployment())
    image = '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"app:v2"}]}}}}'
    await cluster.kubectl("patch", "deployment", "web", "-p", image)
    await cluster.kubectl("patch", "deployment", "web", "--type=merge", "-p", '{"spec":{"replicas":4}}')
    operation = '[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]'
    await cluster.kubectl("patch", "deployment", "web", "--type=json", "-p", operation)
    await cluster.kubectl(
        "patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":3}}'
    )
    scale = ("--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":6}}')
    await cluster.kubectl("patch", "deployment", "web", *scale)
    found = json.loads(await cluster.kubectl("get", "deployment", "web", "-o", "json"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:v2"
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (6, 3)
    assert found["metadata"]["labels"] == {"a": "b"}


async def test_what_kubectl_changes_by_commands_of_its_own(cluster):
    kubectl = cluster.kubectl
    await kubectl("apply", "-f", "-", stdin=deployment())
    with recorded() as asked:
        await kubectl("set", "env", "deployment/web", "A=b")
        await kubectl("set", "resources", "deployment/web", "--limits=cpu=1")
        await kubectl("set", "serviceaccount", "deployment/web", "default")
        await kubectl("rollout", "pause", "deployment/web")
        await kubectl("rollout", "resume", "deployment/web")
        await kubectl("rollout", "restart", "deployment/web")
        await kubectl("expose", "deployment/web", "--port=80")
        await kubectl("create", "ingress", "web", "--rule=shop.example.com/*=web:80")
        await kubectl("create", "serviceaccount", "robot")
        await kubectl("annotate", "service", "web", "a=b")
        await kubectl("delete", "service,ingress", "--all")
    assert asked.refused(404) == []
    template = json.loads(await kubectl("get", "deployment", "web", "-o", "json"))["spec"]["template"]
    assert template["spec"]["containers"][0]["env"] == [{"name": "A", "value": "b"}]
    assert template["metadata"]["annotations"].keys() == {"kubectl.kubernetes.io/restartedAt"}


async def test_events_of_an_object(cluster):
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "p", "namespace": cluster.namespace},
        "reason": "Tested",
        "message": "it was",
        "type": "Normal",
    }
    await cluster.kubectl("create", "-f", "-", stdin=event)
    assert "it was" in await cluster.kubectl("events", "--for", "pod/p")
    assert await cluster.kubectl("events", "--for", "pod/other") == ""
    assert "Tested" in await cluster.kubectl("get", "events")


async def test_proxy_passes_requests_and_watches_on(cluster):
    await cluster.kubectl("apply", "-f", "-", stdin=config_map("a"))
    process = await cluster.start("kubectl", "proxy", "--port=0")
    try:
        assert process.stdout is not None
        (port,) = re.findall(rb":(\d+)", await asyncio.wait_for(process.stdout.readline(), 20))
        path = f"http://127.0.0.1:{int(port)}/api/v1/namespaces/{cluster.namespace}/configmaps"
        async with aiohttp.ClientSession() as session, session.get(f"{path}?watch=1") as answer:
            event = json.loads(await asyncio.wait_for(answer.content.readline(), 20))
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("create", "token", "default"), "no service account tokens are issued: use the credential of the kubeconfig"),
        (("debug", "p", "--image=busybox"), "ephemeral containers are not supported: add a container to the Pod's own"),
        (
            ("create", "job", "j", "--image=x"),
            "jobs.batch/v1 is not served here; `kubectl api-resources` lists what is",
        ),
        (("create", "service", "nodeport", "s", "--tcp=80"), "NodePort is not supported"),
        (("port-forward", "p", "8000"), "unable to forward port because pod is not running"),
        (("get", "pods", "--as=somebody"), "impersonation is not supported: leave out --as"),
        (("get", "pods", "--token=wrong"), "Unauthorized"),
        (("get", "customresourcedefinitions"), "the server doesn't have a resource type"),
        (("top", "pods"), "metrics not available yet"),
        (("cluster-info", "dump"), "replicationcontrollers/v1 is not served here"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
async def test_what_is_not_served_says_why(cluster, command, said):
    await cluster.kubectl("run", "p", "--image=app:v1")
    assert said in await cluster.kubectl(*command, fails=True)
