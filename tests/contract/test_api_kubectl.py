"""The real kubectl and helm against the API server."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
import yaml
from api_programs import Programs
from api_server_world import deployment, running

from grandstand.client import PatchType
from grandstand.kinds.resources import DEPLOYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(world, tmp_path):
    return Programs(world, await world.namespace(), tmp_path)


async def test_apply_until_delete(cluster):
    kubectl = cluster.kubectl
    assert "deployment.apps/web created" in await kubectl("apply", "-f", "-", stdin=deployment())
    assert "deployment.apps/web unchanged" in await kubectl("apply", "-f", "-", stdin=deployment())
    assert "configured" in await kubectl("apply", "-f", "-", stdin=deployment(replicas=4))
    await kubectl("scale", "deployment/web", "--replicas=5", "--current-replicas=4")
    await kubectl("set", "image", "deployment/web", "main=app:v2")
    await kubectl("label", "deployment", "web", "tier=front")
    await kubectl(
        "patch", "deployment", "web", "--type=json", "-p", '[{"op":"add","path":"/spec/paused","value":true}]'
    )
    found = json.loads(await kubectl("get", "deployment", "web", "-o", "json"))
    assert found["spec"]["replicas"] == 5
    assert found["spec"]["paused"] is True
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "app:v2"
    assert found["metadata"]["labels"] == {"tier": "front"}
    described = await kubectl("describe", "deployment", "web")
    assert "Replicas:               5 desired" in described
    assert (await kubectl("get", "deployments")).split()[:5] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert "main" in await kubectl("get", "deployments", "-o", "wide")
    assert 'deployment.apps "web" deleted' in await kubectl("delete", "deployment", "web")
    assert await kubectl("get", "all") == ""


async def test_what_kubectl_says_when_a_selector_is_missing(cluster):
    body = deployment()
    del body["spec"]["selector"]
    said = await cluster.kubectl("apply", "-f", "-", stdin=body, fails=True)
    assert 'The Deployment "web" is invalid' in said
    assert "spec.selector: Required value" in said


async def test_a_misspelt_field_is_refused(cluster):
    body = deployment(replcas=3)
    said = await cluster.kubectl("apply", "-f", "-", stdin=body, fails=True)
    assert 'strict decoding error: unknown field "spec.replcas"' in said


async def test_server_side_apply(cluster):
    kubectl = cluster.kubectl
    await kubectl("apply", "--server-side", "-f", "-", stdin=deployment())
    await kubectl("scale", "deployment/web", "--replicas=7")
    said = await kubectl("apply", "--server-side", "-f", "-", stdin=deployment(), fails=True)
    assert 'conflict with "kubectl"' in said
    assert ".spec.replicas" in said
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=deployment())
    assert await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "2"


async def test_typed_commands_send_protobuf(cluster):
    kubectl = cluster.kubectl
    await kubectl("create", "deployment", "d", "--image=app:v1", "--replicas=3", "--port=80")
    await kubectl("create", "configmap", "c", "--from-literal=a=b")
    await kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    await kubectl("expose", "deployment", "d", "--port=80", "--target-port=8080")
    await kubectl("autoscale", "deployment", "d", "--min=1", "--max=5", "--cpu=60%")
    await kubectl("run", "p", "--image=app:v1", "--env=A=1")
    found = json.loads(await kubectl("get", "deploy,cm,secret,svc,hpa,pod", "-o", "json"))
    assert {item["kind"]: item["metadata"]["name"] for item in found["items"]} == {
        "Deployment": "d",
        "ConfigMap": "c",
        "Secret": "s",
        "Service": "d",
        "HorizontalPodAutoscaler": "d",
        "Pod": "p",
    }
    (service,) = (item for item in found["items"] if item["kind"] == "Service")
    assert service["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 8080}]


async def test_explain_and_discovery(cluster):
    kubectl = cluster.kubectl
    assert "maxSurge" in await kubectl("explain", "deployment.spec.strategy.rollingUpdate")
    listed = await kubectl("api-resources", "--no-headers", "-o", "name")
    assert {"pods", "deployments.apps", "ingresses.networking.k8s.io"} <= set(listed.split())
    assert "apps/v1" in await kubectl("api-versions")
    assert "v1.37.0+grandstand" in await kubectl("version")
    assert "ok" in await kubectl("get", "--raw", "/readyz")


async def test_access(cluster):
    assert await cluster.kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    assert "admin" in await cluster.kubectl("auth", "whoami")
    assert "*.*" in await cluster.kubectl("auth", "can-i", "--list")


async def test_wait_and_rollout_status_follow_a_watch(cluster):
    kubectl, client = cluster.kubectl, cluster.world.client
    await kubectl("apply", "-f", "-", stdin=deployment(replicas=1))
    waiting = [
        await cluster.start("kubectl", "wait", "deployment/web", "--for=condition=Available", "--timeout=30s"),
        await cluster.start("kubectl", "rollout", "status", "deployment/web", "--timeout=30s"),
        await cluster.start("kubectl", "wait", "deployment/web", "--for=delete", "--timeout=30s"),
    ]
    status = {
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "conditions": [{"type": "Available", "status": "True"}],
    }
    await client.patch(DEPLOYMENTS, cluster.namespace, "web", {"status": status}, PatchType.MERGE, subresource="status")
    available, rolled_out = [await process.communicate() for process in waiting[:2]]
    assert b"condition met" in available[0], available
    assert b"successfully rolled out" in rolled_out[0], rolled_out
    await kubectl("delete", "deployment", "web")
    assert (await waiting[2].communicate())[1] == b""
    assert waiting[2].returncode == 0


async def test_get_watch_prints_rows(cluster):
    await cluster.kubectl("create", "configmap", "a")
    process = await cluster.start("kubectl", "get", "configmaps", "-w", "--no-headers")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            # The first row is there as soon as the list is printed; what comes now comes by the watch.
            assert (await process.stdout.readline()).split()[:2] == [b"a", b"0"]
            await cluster.kubectl("create", "configmap", "b", "--from-literal=x=y")
            assert (await process.stdout.readline()).split()[:2] == [b"b", b"1"]
            await cluster.kubectl("delete", "configmap", "a")
            assert (await process.stdout.readline()).split()[:2] == [b"a", b"0"]
    finally:
        process.kill()
        await process.wait()


async def test_logs_and_what_needs_a_node(cluster):
    await cluster.kubectl("run", "p", "--image=app:v1")
    assert await cluster.kubectl("logs", "p", "--tail=3") == "one\ntwo\nthree\n"
    said = await cluster.kubectl("exec", "p", "--", "ls", fails=True)
    assert "cannot be reached: this API server runs without a node" in said


async def test_edit(cluster, tmp_path):
    await cluster.kubectl("create", "configmap", "c", "--from-literal=a=before")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    editor.chmod(0o755)
    cluster.environment["KUBE_EDITOR"] = str(editor)
    await cluster.kubectl("edit", "configmap", "c")
    assert await cluster.kubectl("get", "configmap", "c", "-o", "jsonpath={.data.a}") == "after"


async def test_diff_and_replace(cluster):
    await cluster.kubectl("apply", "-f", "-", stdin=deployment())
    process = await cluster.start("kubectl", "diff", "-f", "-", stdin=yaml.safe_dump(deployment(replicas=9)))
    out, _ = await process.communicate()
    assert (process.returncode, b"+  replicas: 9" in out) == (1, True)
    await cluster.kubectl("replace", "-f", "-", stdin=deployment(replicas=9))
    await cluster.kubectl("replace", "--force", "-f", "-", stdin=deployment(replicas=8))
    assert await cluster.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "8"


async def test_selectors_sorting_and_chunks(cluster):
    for name in ("a", "b", "c"):
        await cluster.kubectl("create", "configmap", name)
    await cluster.kubectl("label", "configmap", "a", "b", "l=x")
    listed = await cluster.kubectl("get", "cm", "-l", "l in (x)", "-o", "name", "--chunk-size=1")
    assert listed.split() == ["configmap/a", "configmap/b"]
    listed = await cluster.kubectl("get", "cm", "--field-selector", "metadata.name=c", "-o", "name")
    assert listed.split() == ["configmap/c"]


async def test_helm_install_upgrade_rollback(cluster, tmp_path):
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("replicas: 1\n")
    template = yaml.safe_dump(deployment(replicas="REPLICAS")).replace("REPLICAS", "{{ .Values.replicas }}")
    (chart / "templates" / "web.yaml").write_text(template)
    await cluster.run("helm", "install", "web", str(chart))
    await cluster.run("helm", "upgrade", "web", str(chart), "--set", "replicas=3")
    assert await cluster.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "3"
    await cluster.run("helm", "rollback", "web", "1")
    assert await cluster.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "1"
    assert json.loads(await cluster.run("helm", "list", "-o", "json"))[0]["revision"] == "3"
    await cluster.run("helm", "uninstall", "web")
    assert await cluster.kubectl("get", "deployments", "-o", "name") == ""
