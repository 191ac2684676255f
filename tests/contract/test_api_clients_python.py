"""The official Python client and kr8s against the API server, unmodified."""

from __future__ import annotations

import asyncio
import threading

import kr8s
import kr8s.asyncio
import kubernetes
import pytest
import pytest_asyncio
from api_request_log import recorded
from api_server_world import World, deployment, running
from kr8s.asyncio.objects import ConfigMap, Deployment
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.utils import create_from_dict

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def namespace(world: World) -> str:
    return await world.namespace()


@pytest.fixture
def asked(world):
    with recorded() as log:
        yield log


@pytest.fixture
def connection(world):
    """The official client. It blocks, so tests call it in threads."""
    config = kubernetes.config.new_client_from_config(config_file=str(world.engine.kubeconfig))
    with config as connection:
        yield connection


class TestOfficial:
    async def test_a_deployment_from_typed_objects(self, connection, namespace, asked):
        apps = official.AppsV1Api(connection)

        def work() -> None:
            labels = {"app": "web"}
            container = official.V1Container(
                name="main",
                image="app:v1",
                ports=[official.V1ContainerPort(container_port=8080)],
                resources=official.V1ResourceRequirements(requests={"cpu": "100m", "memory": "64Mi"}),
                readiness_probe=official.V1Probe(http_get=official.V1HTTPGetAction(path="/", port=8080)),
            )
            template = official.V1PodTemplateSpec(
                metadata=official.V1ObjectMeta(labels=labels), spec=official.V1PodSpec(containers=[container])
            )
            spec = official.V1DeploymentSpec(
                replicas=2, selector=official.V1LabelSelector(match_labels=labels), template=template
            )
            body = official.V1Deployment(metadata=official.V1ObjectMeta(name="web"), spec=spec)
            made = apps.create_namespaced_deployment(namespace, body)
            assert made.spec.strategy.type == "RollingUpdate"
            assert made.spec.template.spec.containers[0].readiness_probe.period_seconds == 10

            made.spec.replicas = 3
            replaced = apps.replace_namespaced_deployment("web", namespace, made)
            assert (replaced.spec.replicas, replaced.metadata.generation) == (3, 2)
            with pytest.raises(ApiException) as conflict:
                apps.replace_namespaced_deployment("web", namespace, made)
            assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")

            change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "app:v2"}]}}}}
            patched = apps.patch_namespaced_deployment("web", namespace, change)
            assert patched.spec.template.spec.containers[0].ports[0].container_port == 8080, "a strategic merge"
            scaled = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 5}})
            assert (scaled.spec.replicas, scaled.status.selector) == (5, "app=web")
            status = {"status": {"replicas": 5, "observedGeneration": 4}}
            assert apps.patch_namespaced_deployment_status("web", namespace, status).status.replicas == 5
            listed = apps.list_namespaced_deployment(namespace, label_selector="app=web", limit=1)
            assert [item.metadata.name for item in listed.items] == []
            assert [item.metadata.name for item in apps.list_namespaced_deployment(namespace).items] == ["web"]
            gone = apps.delete_namespaced_deployment("web", namespace, propagation_policy="Background")
            assert gone["status"] == "Success"

        await asyncio.to_thread(work)
        assert [entry.status for entry in asked.refused()] == [409]

    async def test_pods_and_their_logs(self, connection, namespace, asked):
        core = official.CoreV1Api(connection)

        def work() -> None:
            pod = official.V1Pod(
                metadata=official.V1ObjectMeta(generate_name="p-", labels={"a": "b"}),
                spec=official.V1PodSpec(containers=[official.V1Container(name="main", image="app:v1")]),
            )
            made = core.create_namespaced_pod(namespace, pod)
            name = made.metadata.name
            assert made.status.phase == "Pending"
            assert made.spec.termination_grace_period_seconds == 30
            assert core.read_namespaced_pod_log(name, namespace) == "one\ntwo\nthree\n"
            binding = official.V1Binding(
                metadata=official.V1ObjectMeta(name=name), target=official.V1ObjectReference(kind="Node", name="here")
            )
            core.create_namespaced_pod_binding(name, namespace, binding, _preload_content=False)
            assert core.read_namespaced_pod(name, namespace).spec.node_name == "here"
            eviction = official.V1Eviction(metadata=official.V1ObjectMeta(name=name, namespace=namespace))
            core.create_namespaced_pod_eviction(name, namespace, eviction)
            assert core.read_namespaced_pod(name, namespace).metadata.deletion_timestamp
            core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
            assert core.list_pod_for_all_namespaces(label_selector="a=b").items == []

        await asyncio.to_thread(work)
        assert asked.refused() == []

    async def test_a_watch_hears_of_every_change(self, connection, namespace):
        core = official.CoreV1Api(connection)
        begun = threading.Event()

        def follow() -> list[tuple[str, str]]:
            watch, heard = kubernetes.watch.Watch(), []
            for event in watch.stream(core.list_namespaced_config_map, namespace, timeout_seconds=30):
                heard.append((event["type"], event["object"].data["a"]))
                begun.set()
                if len(heard) == 4:
                    watch.stop()
            return heard

        def work() -> None:
            assert begun.wait(20)
            core.patch_namespaced_config_map("c", namespace, {"data": {"a": "2"}})
            core.patch_namespaced_config_map("c", namespace, [{"op": "replace", "path": "/data/a", "value": "3"}])
            core.delete_namespaced_config_map("c", namespace)

        body = official.V1ConfigMap(metadata=official.V1ObjectMeta(name="c"), data={"a": "1"})
        await asyncio.to_thread(core.create_namespaced_config_map, namespace, body)
        heard, _ = await asyncio.gather(asyncio.to_thread(follow), asyncio.to_thread(work))
        assert heard == [("ADDED", "1"), ("MODIFIED", "2"), ("MODIFIED", "3"), ("DELETED", "3")]

    async def test_a_watch_goes_on_where_it_ended(self, connection, namespace):
        """The client ends its watch every second; it must not hear anything twice, nor miss anything."""
        core = official.CoreV1Api(connection)

        def follow(version: str) -> list[str]:
            watch = kubernetes.watch.Watch()
            watch.resource_version = version
            names = []
            for _ in range(5):
                for event in watch.stream(core.list_namespaced_secret, namespace, timeout_seconds=1):
                    names.append(event["object"].metadata.name)
                    if len(names) == 6:
                        return names
            return names

        def work() -> str:
            version = core.list_namespaced_secret(namespace).metadata.resource_version
            for number in range(6):
                body = official.V1Secret(metadata=official.V1ObjectMeta(name=f"s{number}"), string_data={"a": "b"})
                core.create_namespaced_secret(namespace, body)
            return version

        version = await asyncio.to_thread(work)
        assert await asyncio.to_thread(follow, version) == [f"s{number}" for number in range(6)]

    async def test_events_of_both_groups_fields(self, connection, namespace):
        core = official.CoreV1Api(connection)

        def work() -> None:
            body = official.CoreV1Event(
                metadata=official.V1ObjectMeta(generate_name="e-"),
                involved_object=official.V1ObjectReference(kind="Pod", name="p", namespace=namespace),
                reason="Tested",
                message="it was",
                type="Normal",
                count=1,
            )
            made = core.create_namespaced_event(namespace, body)
            assert made.involved_object.name == "p"
            found = core.list_namespaced_event(namespace, field_selector="involvedObject.name=p,reason=Tested")
            assert [event.metadata.name for event in found.items] == [made.metadata.name]
            with pytest.raises(ApiException) as invalid:
                core.list_namespaced_event(namespace, field_selector="nonsense=p")
            assert invalid.value.status == 400

        await asyncio.to_thread(work)

    async def test_a_collection_is_deleted_by_label(self, connection, namespace):
        core = official.CoreV1Api(connection)

        def work() -> list[str]:
            for name in ("a", "b", "c"):
                meta = official.V1ObjectMeta(name=name, labels={"gone": str(name != "c").lower()})
                core.create_namespaced_config_map(namespace, official.V1ConfigMap(metadata=meta))
            core.delete_collection_namespaced_config_map(namespace, label_selector="gone=true")
            return [item.metadata.name for item in core.list_namespaced_config_map(namespace).items]

        assert await asyncio.to_thread(work) == ["c"]

    async def test_the_dynamic_client_finds_resources_and_applies(self, connection, namespace, asked, tmp_path):
        def work() -> None:
            dynamic = DynamicClient(connection, cache_file=str(tmp_path / "discovery.json"))
            deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
            made = deployments.server_side_apply(body=deployment(), namespace=namespace, field_manager="tests")
            assert made.spec.replicas == 2
            assert made.metadata.managedFields[0].manager == "tests"
            scale = deployments.scale.get(name="web", namespace=namespace)
            assert scale.spec.replicas == 2
            changed = {"spec": {"replicas": 4}}
            merged = deployments.patch(
                changed, name="web", namespace=namespace, content_type="application/merge-patch+json"
            )
            assert merged.spec.replicas == 4
            assert deployments.get(namespace=namespace).items[0].metadata.name == "web"
            heard = next(iter(deployments.watch(namespace=namespace, timeout=10)))
            assert (heard["type"], heard["object"].metadata.name) == ("ADDED", "web")
            deployments.delete(name="web", namespace=namespace)

        await asyncio.to_thread(work)
        assert asked.refused() == []

    async def test_objects_from_dictionaries(self, connection, namespace):
        await asyncio.to_thread(create_from_dict, connection, deployment("d"), namespace=namespace)
        apps = official.AppsV1Api(connection)
        found = await asyncio.to_thread(apps.read_namespaced_deployment, "d", namespace)
        assert found.spec.selector.match_labels == {"app": "d"}

    @pytest.mark.parametrize("api", ["VersionApi", "CoreApi", "ApisApi", "AppsApi", "AutoscalingApi", "DiscoveryApi"])
    async def test_discovery(self, connection, api):
        served = getattr(official, api)(connection)
        ask = (
            served.get_code
            if api == "VersionApi"
            else getattr(served, "get_api_group", None) or served.get_api_versions
        )
        assert await asyncio.to_thread(ask)

    async def test_access(self, connection, namespace):
        reviews = official.AuthorizationV1Api(connection)
        attributes = official.V1ResourceAttributes(namespace=namespace, verb="list", resource="pods")
        spec = official.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        body = official.V1SelfSubjectAccessReview(spec=spec)
        found = await asyncio.to_thread(reviews.create_self_subject_access_review, body)
        assert found.status.allowed


@pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported")
class TestKr8s:
    @pytest_asyncio.fixture(loop_scope="module")
    async def api(self, world, namespace):
        return await kr8s.asyncio.api(kubeconfig=str(world.engine.kubeconfig), namespace=namespace)

    async def test_a_deployment_through_its_life(self, api, namespace, asked):
        web = await Deployment({**deployment(), "metadata": {"name": "web", "namespace": namespace}}, api=api)
        await web.create()
        assert await web.exists()
        await web.scale(4)
        assert web.replicas == 4
        await web.label({"tier": "front"})
        await web.annotate({"note": "1"})
        await web.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "app:v2"}]}}}})
        await web.patch([{"op": "add", "path": "/spec/paused", "value": True}], type="json")
        await web.refresh()
        assert (web.labels["tier"], web.spec.paused) == ("front", True)
        found = [item async for item in api.get("deployments", namespace=namespace, label_selector={"tier": "front"})]
        assert [item.name for item in found] == ["web"]
        await web.delete()
        assert not await web.exists()
        assert asked.refused(404) == []

    async def test_watch_and_wait(self, api, world, namespace):
        made = await ConfigMap({"metadata": {"name": "c", "namespace": namespace}, "data": {"a": "1"}}, api=api)
        await made.create()
        heard = []

        async def follow() -> None:
            async for kind, found in api.watch("configmaps", namespace=namespace):
                heard.append((kind, found.name))
                if len(heard) == 3:
                    return

        following = asyncio.create_task(follow())
        async with asyncio.timeout(20):
            while not heard:
                await asyncio.sleep(0)
            await made.patch({"data": {"a": "2"}})
            await made.delete()
            await following
        assert heard == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c")]

    async def test_what_it_asks_of_the_server(self, api):
        assert (await api.version())["gitVersion"].startswith("v1.37")
        kinds = {resource["kind"] for resource in await api.api_resources()}
        assert {"Pod", "Deployment", "Ingress", "HorizontalPodAutoscaler"} <= kinds
        assert [item.name async for item in api.get("namespaces", "kube-system")] == ["kube-system"]
