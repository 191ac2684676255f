"""helm 4 against the API server, with a chart as people write them; a stand-in for the node makes Deployments ready."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from api_programs import Programs
from api_request_log import recorded
from api_server_world import World, running

from grandstand.kinds import Object
from grandstand.kinds.resources import DEPLOYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHART = {
    "Chart.yaml": """
        apiVersion: v2
        name: shop
        version: 1.2.3
        appVersion: v1
    """,
    "values.yaml": """
        replicas: 2
        image: app:v1
        greeting: hello
        host: shop.example.com
    """,
    "templates/_names.tpl": """
        {{- define "shop.labels" -}}
        app.kubernetes.io/name: {{ .Chart.Name }}
        app.kubernetes.io/instance: {{ .Release.Name }}
        {{- end -}}
    """,
    "templates/account.yaml": """
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: {{ .Release.Name }}
          labels: {{- include "shop.labels" . | nindent 4 }}
    """,
    "templates/settings.yaml": """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: {{ .Release.Name }}
        data:
          greeting: {{ .Values.greeting | quote }}
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: {{ .Release.Name }}
        stringData:
          password: secret
    """,
    "templates/deployment.yaml": """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: {{ .Release.Name }}
          labels: {{- include "shop.labels" . | nindent 4 }}
        spec:
          replicas: {{ .Values.replicas }}
          selector:
            matchLabels: {{- include "shop.labels" . | nindent 6 }}
          template:
            metadata:
              labels: {{- include "shop.labels" . | nindent 8 }}
              annotations:
                checksum/settings: {{ .Values.greeting | sha256sum }}
            spec:
              serviceAccountName: {{ .Release.Name }}
              containers:
              - name: main
                image: {{ .Values.image }}
                envFrom:
                - configMapRef: {name: {{ .Release.Name }}}
                - secretRef: {name: {{ .Release.Name }}}
                ports:
                - {name: http, containerPort: 8080}
                readinessProbe:
                  httpGet: {path: /, port: http}
    """,
    "templates/service.yaml": """
        apiVersion: v1
        kind: Service
        metadata:
          name: {{ .Release.Name }}
        spec:
          selector: {{- include "shop.labels" . | nindent 4 }}
          ports:
          - {name: http, port: 80, targetPort: http}
    """,
    "templates/ingress.yaml": """
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata:
          name: {{ .Release.Name }}
        spec:
          rules:
          - host: {{ .Values.host }}
            http:
              paths:
              - path: /
                pathType: Prefix
                backend: {service: {name: {{ .Release.Name }}, port: {name: http}}}
    """,
    "templates/NOTES.txt": """
        The shop is at http://{{ .Values.host }}/
    """,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest.fixture
def chart(tmp_path: Path) -> str:
    for name, text in CHART.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").splitlines()
        path.write_text("".join(f"{line.removeprefix(' ' * 8)}\n" for line in lines))
    return str(tmp_path / "shop")


@pytest_asyncio.fixture(loop_scope="module")
async def helm(world, tmp_path):
    return Programs(world, await world.namespace(), tmp_path)


def ready(obj: Object) -> Object:
    """The status of a Deployment whose Pods all run."""
    replicas = obj["spec"]["replicas"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    conditions = [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    return {"observedGeneration": obj["metadata"]["generation"], "conditions": conditions, **counts}


@asynccontextmanager
async def becoming_ready(world: World, namespace: str):
    """As long as this lasts, whatever is deployed is ready at once, but for the image `broken`."""

    async def follow() -> None:
        async for event in world.client.watch(DEPLOYMENTS, namespace):
            obj = event.object
            image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
            current = obj["status"].get("observedGeneration") == obj["metadata"]["generation"]
            if event.type != "DELETED" and image != "broken" and not current:
                status = {"status": ready(obj)}
                await world.client.patch(DEPLOYMENTS, namespace, obj["metadata"]["name"], status, subresource="status")

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()


KINDS = "deployments,services,configmaps,secrets,serviceaccounts,ingresses"


async def test_the_life_of_a_release(helm, chart, world):
    with recorded() as asked:
        async with becoming_ready(world, helm.namespace):
            said = await helm.run("helm", "install", "shop", chart, "--wait", "--timeout", "30s")
            assert "The shop is at http://shop.example.com/" in said
            assert "STATUS: deployed" in said
            again = await helm.run("helm", "install", "shop", chart, fails=True)
            assert "cannot reuse a name that is still in use" in again

            changes = ("--set", "replicas=3", "--set", "greeting=goodbye", "--wait", "--timeout", "30s")
            await helm.run("helm", "upgrade", "shop", chart, *changes)
            assert await helm.kubectl("get", "deployment", "shop", "-o", "jsonpath={.spec.replicas}") == "3"
            assert await helm.kubectl("get", "configmap", "shop", "-o", "jsonpath={.data.greeting}") == "goodbye"

            await helm.run("helm", "rollback", "shop", "1", "--wait", "--timeout", "30s")
            assert await helm.kubectl("get", "deployment", "shop", "-o", "jsonpath={.spec.replicas}") == "2"
            assert await helm.kubectl("get", "configmap", "shop", "-o", "jsonpath={.data.greeting}") == "hello"

            (listed,) = json.loads(await helm.run("helm", "list", "-o", "json"))
            assert (listed["name"], listed["revision"], listed["status"]) == ("shop", "3", "deployed")
            history = json.loads(await helm.run("helm", "history", "shop", "-o", "json"))
            assert [entry["status"] for entry in history] == ["superseded", "superseded", "deployed"]
            assert "kind: Ingress" in await helm.run("helm", "get", "manifest", "shop")
            await helm.run("helm", "status", "shop")

            await helm.run("helm", "uninstall", "shop", "--wait", "--timeout", "30s")
            left = await helm.kubectl("get", KINDS, "-o", "name")
            assert set(left.split()) <= {"serviceaccount/default", "configmap/kube-root-ca.crt"}
    # helm looks whether things are there before it makes them.
    assert asked.refused(404) == []


async def test_another_upgrade_of_the_same_changes_nothing(helm, chart, world):
    await helm.run("helm", "install", "shop", chart)
    before = await helm.kubectl("get", "deployment", "shop", "-o", "jsonpath={.metadata.resourceVersion}")
    await helm.run("helm", "upgrade", "shop", chart)
    after = await helm.kubectl("get", "deployment", "shop", "-o", "jsonpath={.metadata.resourceVersion}")
    assert before == after


async def test_a_field_of_somebody_else_is_a_conflict(helm, chart):
    await helm.run("helm", "install", "shop", chart)
    await helm.kubectl("scale", "deployment/shop", "--replicas=5")
    said = await helm.run("helm", "upgrade", "shop", chart, "--set", "replicas=4", fails=True)
    assert 'conflict with "kubectl"' in said
    assert ".spec.replicas" in said
    await helm.run("helm", "upgrade", "shop", chart, "--set", "replicas=4", "--force-conflicts")
    assert await helm.kubectl("get", "deployment", "shop", "-o", "jsonpath={.spec.replicas}") == "4"


async def test_what_does_not_become_ready_is_rolled_back(helm, chart, world):
    async with becoming_ready(world, helm.namespace):
        await helm.run("helm", "install", "shop", chart, "--wait", "--timeout", "30s")
        broken = ("--set", "image=broken", "--rollback-on-failure", "--timeout", "3s")
        said = await helm.run("helm", "upgrade", "shop", chart, *broken, fails=True)
        assert "rollback" in said
        image = "jsonpath={.spec.template.spec.containers[0].image}"
        assert await helm.kubectl("get", "deployment", "shop", "-o", image) == "app:v1"


async def test_a_dry_run_on_the_server_makes_nothing(helm, chart):
    said = await helm.run("helm", "install", "shop", chart, "--dry-run=server")
    assert "kind: Deployment" in said
    assert await helm.kubectl("get", "deployments,secrets", "-o", "name") == ""


async def test_without_server_side_apply(helm, chart):
    await helm.run("helm", "install", "shop", chart, "--server-side=false")
    await helm.run("helm", "upgrade", "shop", chart, "--server-side=false", "--set", "replicas=3")
    assert await helm.kubectl("get", "deployment", "shop", "-o", "jsonpath={.spec.replicas}") == "3"


async def test_what_is_refused_says_why(helm, chart):
    service = Path(chart) / "templates" / "service.yaml"
    service.write_text(service.read_text().replace("spec:\n", "spec:\n  type: NodePort\n"))
    said = await helm.run("helm", "install", "shop", chart, fails=True)
    assert "NodePort is not supported" in said
