"""What is measured, and HPAs that act on it: kubectl top, autoscale, describe."""

import json
import re

from load import Load
from space import container, deployment, eventually, payment, pod, service

BURN = "while :; do :; done"


def limited(command, **resources):
    return container(command, resources={"requests": {"cpu": "100m", "memory": "16Mi"}, **resources})


def replicas(space, name="web"):
    return space.get("deployment", name)["spec"]["replicas"]


def autoscaler(metric, least=1, most=5):
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [metric],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 1}},
    }
    made = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}}
    return json.dumps(made | {"spec": spec})


def test_kubectl_top(space):
    space.run(pod("busy", limited(BURN, limits={"cpu": "200m"}), labels={"app": "busy"}))

    def shown():
        said = space.try_kubectl("top", "pod", "busy", "--no-headers")
        return re.fullmatch(r"busy\s+(\d+)m\s+(\d+)Mi\s*", said.out)

    found = eventually(lambda: (row := shown()) and int(row[1]) > 150 and row, "the Pod's CPU is measured")
    assert int(found[1]) < 260
    assert 0 <= int(found[2]) < 16
    assert "main" in space.kubectl("top", "pod", "-l", "app=busy", "--containers")
    assert "busy" in space.kubectl("top", "pods", "-A", "--sort-by=cpu")
    assert re.search(r"grandstand\s+\d+m\s+\d+%\s+\d+Mi\s+\d+%", space.kubectl("top", "nodes"))
    assert "not found" in space.refused("top", "pod", "nobody")
    one = json.loads(space.kubectl("get", "--raw", f"/apis/metrics.k8s.io/v1beta1/namespaces/{space.name}/pods/busy"))
    assert (one["kind"], one["metadata"]["namespace"]) == ("PodMetrics", space.name)
    assert 0 < float(one["window"].removesuffix("s")) <= 5
    space.kubectl("delete", "pod", "busy", "--grace-period=0", "--force")


def test_a_deployment_follows_its_cpu(space):
    space.apply(deployment("web", limited(BURN, limits={"cpu": "150m"})))
    space.kubectl("rollout", "status", "deployment/web")
    space.kubectl("autoscale", "deployment", "web", "--cpu=50%", "--min=1", "--max=3")
    eventually(lambda: replicas(space) == 3, "more replicas for the CPU")
    eventually(lambda: re.search(r"cpu: 1\d\d%/50%\s+1\s+3\s+3", space.kubectl("get", "hpa", "web")), "they show")
    said = space.kubectl("describe", "hpa", "web")
    assert "ValidMetricFound" in said
    assert "New size: 3; reason: cpu resource utilization (percentage of request) above target" in said


def test_a_deployment_follows_its_requests_up_and_down(space, engine):
    space.apply(deployment("web", payment()), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    target = {"type": "AverageValue", "averageValue": "5"}
    metric = {"name": "requests_per_second"}
    described = {"apiVersion": "v1", "kind": "Service", "name": "web"}
    source = {"metric": metric, "describedObject": described, "target": target}
    space.kubectl("apply", "-f", "-", stdin=autoscaler({"type": "Object", "object": source}))
    eventually(lambda: "0/5" in space.kubectl("get", "hpa", "web"), "the HPA has looked")
    with Load(engine.gateway, f"web.{space.name}.localhost") as load:
        eventually(lambda: replicas(space) == 5, "more replicas for the requests")
    assert not load.answers.failures
    eventually(lambda: replicas(space) == 1, "fewer again when they are over")


def test_an_hpa_says_what_it_cannot_do(space):
    space.apply(deployment("web", container(BURN, resources={"limits": {"cpu": "50m", "memory": "16Mi"}})))
    external = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "1"}}
    space.kubectl("apply", "-f", "-", stdin=autoscaler({"type": "External", "external": external}))
    eventually(
        lambda: "no source of external metrics is configured" in space.kubectl("describe", "hpa", "web"),
        "the condition says so",
    )
    target = {"type": "Utilization", "averageUtilization": 5}
    zero = autoscaler({"type": "Resource", "resource": {"name": "cpu", "target": target}}, least=0)
    assert "must specify at least one Object or External metric" in space.refused("apply", "-f", "-", stdin=zero)


def test_prometheus_reads_platform_and_workloads(space, engine):
    space.apply(deployment("web", payment()), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    with Load(engine.gateway, f"web.{space.name}.localhost") as load:
        eventually(lambda: requests_of(space), "the gateway's counters have moved")
    assert not load.answers.failures
    own = f'namespace="{space.name}"'
    measured = f'container_memory_working_set_bytes{{{own},pod="web-'
    text = eventually(
        lambda: measured in (said := space.kubectl("get", "--raw", "/metrics")) and said, "the Pod is measured"
    )
    for wanted in (
        f'container_memory_working_set_bytes{{{own},pod="web-',
        f'kube_deployment_status_replicas_available{{{own},deployment="web"}} 1',
        f'kube_pod_container_status_restarts_total{{{own},pod="web-',
        'apiserver_request_total{verb="create",resource="deployments",code="201"} ',
        'apiserver_request_duration_seconds_bucket{verb="get",le="+Inf"}',
        'controller_runtime_reconcile_total{controller="deployment",result="success"}',
        'grandstand_store_watchers{resource="pods"} ',
        "grandstand_gateway_reloads_total ",
        "process_resident_memory_bytes ",
    ):
        assert wanted in text, wanted
    names = [line.split("{")[0].split()[0] for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def requests_of(space):
    """What the gateway has counted for the Service `web`."""
    found = re.search(
        rf'grandstand_service_requests_total{{namespace="{space.name}",service="web"}} (\d+)',
        space.kubectl("get", "--raw", "/metrics"),
    )
    return found is not None and int(found[1])
