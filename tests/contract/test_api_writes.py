"""Creating, changing and deleting objects over HTTPS, in the words that Kubernetes answers with."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from api_server_world import World, config_map, deployment, pod, running

from grandstand.errors import Forbidden
from grandstand.kinds.resources import CONFIG_MAPS, NAMESPACES

pytestmark = pytest.mark.asyncio(loop_scope="module")

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def maps(world: World) -> str:
    return f"/api/v1/namespaces/{await world.namespace()}/configmaps"


@pytest_asyncio.fixture(loop_scope="module")
async def pods(world: World) -> str:
    return f"/api/v1/namespaces/{await world.namespace()}/pods"


@pytest_asyncio.fixture(loop_scope="module")
async def deployments(world: World) -> str:
    return f"/apis/apps/v1/namespaces/{await world.namespace()}/deployments"


class TestCreate:
    async def test_gives_identity_and_defaults(self, world, deployments):
        _, made = await world.ask("POST", deployments, deployment(), expect=201)
        assert made["metadata"]["generation"] == 1
        assert {"uid", "creationTimestamp", "resourceVersion", "managedFields"} <= made["metadata"].keys()
        assert made["spec"]["revisionHistoryLimit"] == 10
        _, got = await world.ask("GET", f"{deployments}/web", expect=200)
        assert got == made

    async def test_twice(self, world, deployments):
        await world.ask("POST", deployments, deployment(), expect=201)
        _, status = await world.ask("POST", deployments, deployment(), expect=409)
        assert status["reason"] == "AlreadyExists"
        assert status["message"] == 'deployments.apps "web" already exists'
        assert status["details"] == {"name": "web", "group": "apps", "kind": "deployments"}

    async def test_what_is_not_valid_names_every_cause(self, world, deployments):
        body = deployment()
        del body["spec"]["selector"]
        _, status = await world.ask("POST", deployments, body, expect=422)
        assert status["message"].startswith(
            'Deployment.apps "web" is invalid: [spec.selector: Required value, spec.temp'
        )
        assert [cause["field"] for cause in status["details"]["causes"]] == [
            "spec.selector",
            "spec.template.metadata.labels",
        ]

    async def test_one_cause_stands_alone(self, world, maps):
        _, status = await world.ask("POST", maps, {"data": {}}, expect=422)
        assert status["message"] == (
            'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
        )

    async def test_generates_names(self, world, maps):
        made = [await world.ask("POST", maps, {"metadata": {"generateName": "g-"}}, expect=201) for _ in range(3)]
        names = {obj["metadata"]["name"] for _, obj in made}
        assert len(names) == 3
        assert all(name.startswith("g-") and len(name) == 7 for name in names)

    async def test_a_namespace_that_is_not_there(self, world):
        _, status = await world.ask("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("a"), expect=404)
        assert status["message"] == 'namespaces "nowhere" not found'

    async def test_another_namespace_than_the_address(self, world, maps):
        _, status = await world.ask("POST", maps, config_map("a", namespace="other"), expect=400)
        assert "does not match the namespace sent on the request" in status["message"]

    async def test_dry_run_stores_nothing(self, world, maps):
        _, made = await world.ask("POST", f"{maps}?dryRun=All", config_map("a"), expect=201)
        assert made["metadata"]["uid"]
        await world.ask("GET", f"{maps}/a", expect=404)

    async def test_a_new_namespace_has_its_service_account(self, world):
        name = await world.namespace()
        await world.ask("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default", expect=200)

    @pytest.mark.parametrize(
        ("validation", "status"), [("Strict", 400), ("Warn", 201), ("Ignore", 201)], ids=["strict", "warn", "ignore"]
    )
    async def test_unknown_and_duplicate_fields(self, world, maps, validation, status):
        body = b'{"metadata":{"name":"a","name":"a"},"dta":{}}'
        async with world.session.post(
            f"{maps}?fieldValidation={validation}", data=body, headers={"Content-Type": "application/json"}
        ) as answer:
            found = await answer.json()
            assert answer.status == status, found
            warnings = answer.headers.getall("Warning", [])
        if validation == "Strict":
            assert 'strict decoding error: duplicate field "metadata.name"' in found["message"]
        expected = ['299 - "duplicate field \\"metadata.name\\""', '299 - "unknown field \\"dta\\""']
        assert warnings == (expected if validation == "Warn" else [])


class TestUpdate:
    async def test_with_an_old_version(self, world, deployments):
        _, first = await world.ask("POST", deployments, deployment(), expect=201)
        second = {**first, "spec": {**first["spec"], "replicas": 3}}
        _, updated = await world.ask("PUT", f"{deployments}/web", second, expect=200)
        assert updated["metadata"]["generation"] == 2
        _, status = await world.ask("PUT", f"{deployments}/web", {**first, "spec": second["spec"]}, expect=409)
        assert status["message"] == (
            'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )

    async def test_that_changes_nothing_writes_nothing(self, world, deployments):
        _, first = await world.ask("POST", deployments, deployment(), expect=201)
        _, again = await world.ask("PUT", f"{deployments}/web", deployment(), expect=200)
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    async def test_status_and_the_rest_are_kept_apart(self, world, deployments):
        _, first = await world.ask("POST", deployments, deployment(), expect=201)
        both = {**first, "spec": {**first["spec"], "replicas": 9}, "status": {"replicas": 1, "observedGeneration": 1}}
        _, after_status = await world.ask("PUT", f"{deployments}/web/status", both, expect=200)
        assert after_status["spec"]["replicas"] == 2
        assert after_status["status"]["replicas"] == 1
        assert after_status["metadata"]["generation"] == 1
        del both["metadata"]["resourceVersion"]
        both["status"]["replicas"] = 5
        _, after_main = await world.ask("PUT", f"{deployments}/web", both, expect=200)
        assert (after_main["spec"]["replicas"], after_main["status"]["replicas"]) == (9, 1)

    async def test_of_what_is_not_there(self, world, maps):
        _, status = await world.ask("PUT", f"{maps}/a", config_map("a"), expect=404)
        assert status["message"] == 'configmaps "a" not found'

    async def test_creates_a_lease(self, world):
        path = f"/apis/coordination.k8s.io/v1/namespaces/{await world.namespace()}/leases/a"
        await world.ask("PUT", path, {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}}, expect=201)
        _, status = await world.ask("PUT", path, {"metadata": {"name": "a"}, "spec": {}}, expect=422)
        assert "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update" in status["message"]

    async def test_of_another_name(self, world, maps):
        await world.ask("POST", maps, config_map("a"), expect=201)
        await world.ask("PUT", f"{maps}/a", config_map("b"), expect=400)


class TestPatch:
    @pytest.mark.parametrize(
        ("kind", "patch"),
        [
            (MERGE, {"data": {"a": None, "b": "2"}}),
            (STRATEGIC, {"data": {"a": None, "b": "2"}}),
            (JSON_PATCH, [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}]),
        ],
        ids=["merge", "strategic", "json"],
    )
    async def test_kinds(self, world, maps, kind, patch):
        await world.ask("POST", maps, config_map("a"), expect=201)
        _, patched = await world.ask("PATCH", f"{maps}/a", patch, Content_Type=kind, expect=200)
        assert patched["data"] == {"b": "2"}

    async def test_an_unknown_kind(self, world, maps):
        _, status = await world.ask("PATCH", f"{maps}/a", {}, Content_Type="application/json", expect=415)
        assert "application/merge-patch+json" in status["message"]

    async def test_strategic_merges_containers_by_name(self, world, deployments):
        await world.ask("POST", deployments, deployment(), expect=201)
        template = {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}
        patch = {"spec": {"template": template}}
        _, patched = await world.ask("PATCH", f"{deployments}/web", patch, Content_Type=STRATEGIC, expect=200)
        (container,) = patched["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["env"]) == ("app:v1", [{"name": "A", "value": "1"}])

    async def test_a_name_cannot_be_patched(self, world, maps):
        await world.ask("POST", maps, config_map("a"), expect=201)
        patch = {"metadata": {"name": "b"}}
        _, status = await world.ask("PATCH", f"{maps}/a", patch, Content_Type=MERGE, expect=422)
        assert status["details"]["causes"][0]["field"] == "metadata.name"

    async def test_concurrent_patches_lose_nothing(self, world, maps):
        await world.ask("POST", maps, config_map("a"), expect=201)
        await asyncio.gather(
            *(
                world.ask("PATCH", f"{maps}/a", {"data": {f"k{i}": str(i)}}, Content_Type=MERGE, expect=200)
                for i in range(50)
            )
        )
        _, found = await world.ask("GET", f"{maps}/a", expect=200)
        assert len(found["data"]) == 51


class TestApply:
    async def test_creates_then_changes_then_nothing(self, world, deployments):
        path = f"{deployments}/web?fieldManager=me"
        _, made = await world.ask("PATCH", path, deployment(), Content_Type=APPLY, expect=201)
        _, again = await world.ask("PATCH", path, deployment(), Content_Type=APPLY, expect=200)
        assert again == made
        _, changed = await world.ask("PATCH", path, deployment(replicas=4), Content_Type=APPLY, expect=200)
        assert (changed["spec"]["replicas"], changed["metadata"]["generation"]) == (4, 2)

    async def test_yaml(self, world, maps):
        body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  day: 2026-11-22\n"
        _, status = await world.ask("PATCH", f"{maps}/a?fieldManager=me", body, Content_Type=APPLY, expect=201)
        assert status["data"] == {"day": "2026-11-22"}

    async def test_a_field_of_somebody_else(self, world, deployments):
        await world.ask("POST", f"{deployments}?fieldManager=them", deployment(), expect=201)
        path = f"{deployments}/web?fieldManager=me"
        body = deployment(replicas=7)
        _, status = await world.ask("PATCH", path, body, Content_Type=APPLY, expect=409)
        assert status["message"].startswith('Apply failed with 1 conflict: conflict with "them"')
        assert status["details"]["causes"][0]["field"] == ".spec.replicas"
        _, forced = await world.ask("PATCH", f"{path}&force=true", body, Content_Type=APPLY, expect=200)
        assert forced["spec"]["replicas"] == 7

    async def test_needs_a_manager(self, world, deployments):
        _, status = await world.ask("PATCH", f"{deployments}/web", deployment(), Content_Type=APPLY, expect=400)
        assert "is required for apply patch" in status["message"]


class TestScale:
    async def test_get_put_patch(self, world, deployments):
        await world.ask("POST", deployments, deployment(), expect=201)
        path = f"{deployments}/web/scale"
        _, scale = await world.ask("GET", path, expect=200)
        assert (scale["kind"], scale["spec"], scale["status"]) == (
            "Scale",
            {"replicas": 2},
            {"replicas": 0, "selector": "app=web"},
        )
        _, put = await world.ask("PUT", path, {**scale, "spec": {"replicas": 5}}, expect=200)
        assert put["spec"]["replicas"] == 5
        await world.ask("PUT", path, scale, expect=409)
        _, patched = await world.ask("PATCH", path, {"spec": {"replicas": 0}}, Content_Type=MERGE, expect=200)
        assert patched["spec"] == {"replicas": 0}
        _, found = await world.ask("GET", f"{deployments}/web", expect=200)
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (0, 3)

    @pytest.mark.parametrize(
        ("replicas", "status"), [(-1, 422), ("many", 400), (2**40, 400)], ids=["negative", "text", "too many"]
    )
    async def test_refused(self, world, deployments, replicas, status):
        await world.ask("POST", deployments, deployment(), expect=201)
        patch = {"spec": {"replicas": replicas}}
        await world.ask("PATCH", f"{deployments}/web/scale", patch, Content_Type=MERGE, expect=status)


class TestPods:
    async def test_bind_then_delete_in_two_steps(self, world, pods):
        await world.ask("POST", pods, pod("a"), expect=201)
        binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}}
        await world.ask("POST", f"{pods}/a/binding", binding, expect=201)
        _, status = await world.ask("POST", f"{pods}/a/binding", binding, expect=409)
        assert 'pod a is already assigned to node "n"' in status["message"]
        _, marked = await world.ask("DELETE", f"{pods}/a", expect=200)
        assert (marked["kind"], marked["metadata"]["deletionGracePeriodSeconds"]) == ("Pod", 30)
        _, done = await world.ask("DELETE", f"{pods}/a", {"gracePeriodSeconds": 0}, expect=200)
        assert (done["kind"], done["spec"]["nodeName"]) == ("Pod", "n")
        await world.ask("GET", f"{pods}/a", expect=404)

    async def test_never_scheduled_goes_at_once(self, world, pods):
        await world.ask("POST", pods, pod("a"), expect=201)
        _, done = await world.ask("DELETE", f"{pods}/a", expect=200)
        assert (done["kind"], done["metadata"]["name"]) == ("Pod", "a")

    async def test_evicted(self, world, pods):
        await world.ask("POST", pods, pod("a"), expect=201)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
        await world.ask("POST", f"{pods}/a/eviction", eviction, expect=201)
        await world.ask("GET", f"{pods}/a", expect=404)


class TestDelete:
    async def test_waits_for_finalizers(self, world, maps):
        await world.ask("POST", maps, config_map("a", finalizers=["example.com/hold"]), expect=201)
        _, marked = await world.ask("DELETE", f"{maps}/a", expect=200)
        assert marked["metadata"]["deletionTimestamp"]
        patch = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
        _, status = await world.ask("PATCH", f"{maps}/a", patch, Content_Type=MERGE, expect=422)
        assert "no new finalizers can be added if the object is being deleted" in status["message"]
        await world.ask("PATCH", f"{maps}/a", {"metadata": {"finalizers": None}}, Content_Type=MERGE, expect=200)
        await world.ask("GET", f"{maps}/a", expect=404)

    @pytest.mark.parametrize(
        ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")], ids=["fore", "orphan"]
    )
    async def test_propagation(self, world, deployments, policy, finalizer):
        await world.ask("POST", deployments, deployment(), expect=201)
        _, marked = await world.ask("DELETE", f"{deployments}/web?propagationPolicy={policy}", expect=200)
        assert marked["metadata"]["finalizers"] == [finalizer]
        assert marked["metadata"]["generation"] == 2

    async def test_preconditions(self, world, maps):
        await world.ask("POST", maps, config_map("a"), expect=201)
        body = {"preconditions": {"uid": "another"}}
        _, status = await world.ask("DELETE", f"{maps}/a", body, expect=409)
        assert "Precondition failed: UID in precondition: another" in status["message"]

    async def test_dry_run(self, world, maps):
        await world.ask("POST", maps, config_map("a"), expect=201)
        await world.ask("DELETE", f"{maps}/a", {"dryRun": ["All"]}, expect=200)
        await world.ask("GET", f"{maps}/a", expect=200)

    async def test_collection_by_label(self, world, maps):
        for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
            await world.ask("POST", maps, config_map(name, labels={"l": label}), expect=201)
        _, gone = await world.ask("DELETE", f"{maps}?labelSelector=l%3Dx", expect=200)
        assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "b"]
        _, left = await world.ask("GET", maps, expect=200)
        assert [item["metadata"]["name"] for item in left["items"]] == ["c"]

    async def test_a_namespace_ends_when_it_is_finalized(self, world):
        name = await world.namespace()
        path = f"/api/v1/namespaces/{name}"
        _, marked = await world.ask("DELETE", path, expect=200)
        assert marked["status"]["phase"] == "Terminating"
        _, status = await world.ask("POST", f"{path}/configmaps", config_map("a"), expect=403)
        assert "because it is being terminated" in status["message"]
        _, found = await world.ask("GET", path, expect=200)
        await world.ask("PUT", f"{path}/finalize", {**found, "spec": {}}, expect=200)
        await world.ask("GET", path, expect=404)

    async def test_nothing_is_created_while_the_deletion_is_being_written(self, world):
        name = await world.namespace()
        path = f"/api/v1/namespaces/{name}"
        deletion = asyncio.ensure_future(world.client.delete(NAMESPACES, "", name))
        creation = asyncio.ensure_future(world.client.create(CONFIG_MAPS, config_map("a"), namespace=name))
        await asyncio.wait((deletion, creation))
        with pytest.raises(Forbidden, match="because it is being terminated"):
            creation.result()
        _, left = await world.ask("GET", f"{path}/configmaps", expect=200)
        assert left["items"] == []

    async def test_immortal_namespaces(self, world):
        _, status = await world.ask("DELETE", "/api/v1/namespaces/default", expect=403)
        assert status["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


class TestServices:
    @pytest_asyncio.fixture(loop_scope="module")
    async def services(self, world: World) -> str:
        return f"/api/v1/namespaces/{await world.namespace()}/services"

    @staticmethod
    def service(name: str, **spec: object) -> dict[str, object]:
        return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}

    async def test_each_gets_an_address_of_its_own(self, world, services):
        made = await asyncio.gather(
            *(world.ask("POST", services, self.service(f"s{i}"), expect=201) for i in range(30))
        )
        assert len({obj["spec"]["clusterIP"] for _, obj in made}) == 30
        assert all(obj["spec"]["clusterIPs"] == [obj["spec"]["clusterIP"]] for _, obj in made)

    async def test_the_address_is_kept_when_an_update_leaves_it_out(self, world, services):
        _, made = await world.ask("POST", services, self.service("a"), expect=201)
        _, after = await world.ask("PUT", f"{services}/a", self.service("a", ports=[{"port": 81}]), expect=200)
        assert after["spec"]["clusterIP"] == made["spec"]["clusterIP"]

    async def test_headless(self, world, services):
        _, made = await world.ask("POST", services, self.service("a", clusterIP="None"), expect=201)
        assert made["spec"]["clusterIPs"] == ["None"]

    @pytest.mark.parametrize(
        ("address", "why"),
        [("10.77.128.1", "already allocated"), ("192.0.2.1", "not in the valid range")],
        ids=["the API's", "of another network"],
    )
    async def test_refused(self, world, services, address, why):
        _, status = await world.ask("POST", services, self.service("a", clusterIP=address), expect=422)
        assert why in status["message"]

    async def test_a_freed_address_can_be_asked_for(self, world, services):
        _, made = await world.ask("POST", services, self.service("a"), expect=201)
        wanted = self.service("b", clusterIP=made["spec"]["clusterIP"])
        await world.ask("POST", services, wanted, expect=422)
        await world.ask("DELETE", f"{services}/a", expect=200)
        await world.ask("POST", services, wanted, expect=201)
