"""Rollouts under load, by kubectl and `grandstand rollout`: no request lost, no late answer of the old version."""

import collections
import json
import threading
import time
import urllib.request

import pytest
from conftest import GRANDSTAND, run
from space import deployment, eventually, payment, service

API = "/apis/argoproj.io/v1alpha1"


def rollout(strategy, replicas=2):
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [payment()], "terminationGracePeriodSeconds": 5}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            "strategy": strategy,
        },
    }


def serving(name):
    made = service(name)
    made["spec"]["selector"] = {"app": "web"}
    return made


def set_version(space, version):
    path = "/spec/template/spec/containers/0/image"
    patch = json.dumps([{"op": "replace", "path": path, "value": f"payment-app:{version}"}])
    space.kubectl("patch", "rollout", "web", "--type=json", "-p", patch)


def command(engine, space, name, *options):
    """`grandstand rollout` with the Rollout `web`."""
    return run([GRANDSTAND, "rollout", name, "web", "--data", engine.data, "--namespace", space.name, *options])


def phase(space, wanted, seconds=30):
    eventually(lambda: space.get("rollout", "web").get("status", {}).get("phase") == wanted, f"phase {wanted}", seconds)


class Asking:
    """Clients that ask one after the other; `answers` are (when it was sent, the version), `failures` all else."""

    def __init__(self, engine, host, clients=4):
        self.answers, self.failures = [], []
        self._url, self._host, self._clients = engine.gateway, host, clients
        self._stop = threading.Event()

    def __enter__(self):
        self._threads = [threading.Thread(target=self._ask) for _ in range(self._clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        while not self._stop.is_set():
            sent = time.monotonic()
            try:
                request = urllib.request.Request(self._url, headers={"Host": self._host})
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.answers.append((sent, time.monotonic(), json.load(answer)["version"]))
            except OSError as error:
                self.failures.append(repr(error))

    def late(self, old, new):
        """Requests sent after the first answer of the new version that the old one answered."""
        first = min(answered for _, answered, version in self.answers if version == new)
        return [each for each in self.answers if each[2] == old and each[0] > first]


def version_of(request):
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["version"]


def test_blue_green_is_previewed_promoted_and_undone_under_load(space, engine):
    strategy = {"activeService": "web", "previewService": "next", "autoPromotionEnabled": False}
    space.apply(rollout({"blueGreen": strategy}), serving("web"), serving("next"))
    phase(space, "Healthy")
    host = f"web.{space.name}.localhost"
    with Asking(engine, host) as asking:
        set_version(space, "v2")
        phase(space, "Paused")
        preview = urllib.request.Request(engine.gateway, headers={"Host": f"next.{space.name}.localhost"})
        eventually(lambda: version_of(preview) == "v2", "the preview shows the new version")
        assert {version for _, _, version in asking.answers} == {"v1"}
        assert "promoted" in command(engine, space, "promote").stdout
        eventually(lambda: asking.answers[-1][2] == "v2", "the new version answers")
        phase(space, "Healthy")
    assert asking.failures == []
    assert asking.late("v1", "v2") == []
    with Asking(engine, host) as asking:
        command(engine, space, "undo")
        eventually(lambda: asking.answers and asking.answers[-1][2] == "v1", "the version before answers", 5)
    assert asking.failures == []
    assert asking.late("v2", "v1") == []
    said = command(engine, space, "status").stdout
    assert "Healthy" in said
    assert "stable, active" in said


def test_a_blue_green_goes_on_when_the_control_plane_is_killed_at_any_step(space, engine):
    def killed():
        engine.crash()
        engine.start()

    strategy = {"activeService": "web", "previewService": "next", "autoPromotionEnabled": False}
    space.apply(rollout({"blueGreen": strategy}), serving("web"), serving("next"))
    phase(space, "Healthy")
    with Asking(engine, f"web.{space.name}.localhost") as asking:
        set_version(space, "v2")
        killed()  # green is being made
        phase(space, "Paused")
        killed()  # green is shown by the preview, and waits
        phase(space, "Paused")
        assert {version for _, _, version in asking.answers} == {"v1"}
        command(engine, space, "promote")
        killed()  # the active Service is being switched
        eventually(lambda: asking.answers[-1][2] == "v2", "the new version answers")
        phase(space, "Healthy")
        killed()  # blue waits for its end
        assert asking.late("v1", "v2") == []
        asking.answers.clear()
        command(engine, space, "undo")
        killed()  # and is switched back to
        eventually(lambda: asking.answers and asking.answers[-1][2] == "v1", "the version before answers")
        phase(space, "Healthy")
    assert asking.failures == []
    assert asking.late("v2", "v1") == []


def test_a_canary_gets_exactly_its_share_and_an_abort_takes_it_away(space, engine):
    steps = [{"setWeight": 25}, {"pause": {}}]
    space.apply(rollout({"canary": {"steps": steps}}, replicas=3), serving("web"))
    phase(space, "Healthy")
    set_version(space, "v2")
    phase(space, "Paused")

    def shares(count=80):
        request = urllib.request.Request(engine.gateway, headers={"Host": f"web.{space.name}.localhost"})
        found = collections.Counter()
        for _ in range(count):
            with urllib.request.urlopen(request) as answer:
                found[json.load(answer)["version"]] += 1
        return found

    eventually(lambda: shares(8)["v2"], "the canary answers")
    assert 16 <= shares()["v2"] <= 24
    command(engine, space, "abort")
    eventually(lambda: shares(8)["v2"] == 0, "the canary answers no more")
    assert shares()["v2"] == 0
    phase(space, "Degraded")


def test_a_canary_within_bounds_loses_no_request_and_never_has_more_pods(space, engine):
    strategy = {"maxSurge": 1, "maxUnavailable": 0, "steps": [{"setWeight": 50}, {"pause": {}}]}
    space.apply(rollout({"canary": strategy}, replicas=4), serving("web"))
    phase(space, "Healthy")
    with Asking(engine, f"web.{space.name}.localhost") as asking:
        set_version(space, "v2")
        phase(space, "Paused")
        assert sorted(each["spec"]["replicas"] for each in space.get("replicasets")) == [2, 2]
        command(engine, space, "promote")
        phase(space, "Healthy")
        assert sorted(each["spec"]["replicas"] for each in space.get("replicasets")) == [0, 4]
    assert asking.failures == []
    assert {version for _, _, version in asking.answers} == {"v1", "v2"}


def test_an_analysis_rejects_a_version_by_itself(space, engine):
    query = {"service": "web", "metric": "error_share"}
    metric = {
        "name": "errors",
        "initialDelay": "1s",
        "interval": "1s",
        "count": 2,
        "successCondition": "result < 0",
        "consecutiveErrorLimit": -1,
        "provider": {"plugin": {"grandstand.dev/gateway": query}},
    }
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "impossible"},
        "spec": {"metrics": [metric]},
    }
    strategy = {"activeService": "web", "postPromotionAnalysis": {"templates": [{"templateName": "impossible"}]}}
    space.apply(template, rollout({"blueGreen": strategy}), serving("web"))
    phase(space, "Healthy")
    with Asking(engine, f"web.{space.name}.localhost", clients=2) as asking:
        set_version(space, "v2")
        phase(space, "Degraded")
        eventually(lambda: asking.answers[-1][2] == "v1", "the stable version answers again")
    assert asking.failures == []
    assert "v2" in {version for _, _, version in asking.answers}
    assert "assessed Failed due to failed (1) > failureLimit (0)" in space.get("rollout", "web")["status"]["message"]


def test_an_hpa_scales_a_rollout_and_green_starts_as_large(space, engine):
    strategy = {"activeService": "web", "autoPromotionEnabled": False}
    space.apply(rollout({"blueGreen": strategy}, replicas=1), serving("web"))
    phase(space, "Healthy")
    space.kubectl("scale", "rollout/web", "--replicas=3")
    eventually(lambda: space.get("rollout", "web")["status"].get("availableReplicas") == 3, "three replicas")
    set_version(space, "v2")
    phase(space, "Paused")
    sizes = sorted(each["spec"]["replicas"] for each in space.get("replicasets"))
    assert sizes == [3, 3]


def referring(strategy, scale_down, replicas=2):
    made = rollout(strategy, replicas)
    del made["spec"]["selector"], made["spec"]["template"]
    made["spec"]["workloadRef"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "scaleDown": scale_down,
    }
    return made


@pytest.mark.parametrize("scale_down", ["onsuccess", "progressively"])
def test_a_rollout_takes_over_from_a_deployment_under_load(space, engine, scale_down):
    made = deployment("web", payment(), replicas=2, labels={"app": "web"})
    space.apply(made, serving("web"))
    space.kubectl("rollout", "status", "deployment/web")
    before = {each["metadata"]["name"] for each in space.get("pods")}
    with Asking(engine, f"web.{space.name}.localhost") as asking:
        space.apply(referring({"blueGreen": {"activeService": "web"}}, scale_down))
        phase(space, "Healthy")
        eventually(lambda: space.get("deployment", "web")["spec"]["replicas"] == 0, "the Deployment gives way")
        eventually(lambda: not before & {each["metadata"]["name"] for each in space.get("pods")}, "its Pods are gone")
        answered = len(asking.answers)
        eventually(lambda: len(asking.answers) > answered + 50, "the Rollout answers")
        patch = json.dumps(
            [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "payment-app:v2"}]
        )
        space.kubectl("patch", "deployment", "web", "--type=json", "-p", patch)
        eventually(lambda: asking.answers[-1][2] == "v2", "the new template of the Deployment answers")
    assert asking.failures == []
    assert asking.late("v1", "v2") == []


def test_an_hpa_scales_a_rollout_that_refers_to_a_deployment(space, engine):
    made = deployment("web", payment(), replicas=1, labels={"app": "web"})
    space.apply(made, serving("web"), referring({"blueGreen": {"activeService": "web"}}, "onsuccess", replicas=1))
    phase(space, "Healthy")
    scale = json.loads(space.kubectl("get", "--raw", f"{API}/namespaces/{space.name}/rollouts/web/scale"))
    assert scale["status"]["selector"] == "app=web"
    space.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"},
                "minReplicas": 3,
                "maxReplicas": 4,
            },
        }
    )
    eventually(lambda: space.get("rollout", "web")["status"].get("availableReplicas") == 3, "three replicas")


def test_a_restart_under_load_replaces_every_pod_and_history_shows_the_versions(space, engine):
    space.apply(rollout({"blueGreen": {"activeService": "web"}}, replicas=2), serving("web"))
    phase(space, "Healthy")
    before = {each["metadata"]["name"] for each in space.get("pods")}
    with Asking(engine, f"web.{space.name}.localhost") as asking:
        # What is made in the second of a restart is no older than it.
        said = command(engine, space, "restart", "--in", "2s").stdout
        eventually(lambda: space.get("rollout", "web")["status"].get("restartedAt", "-") in said, "restarted")
        eventually(lambda: not before & {each["metadata"]["name"] for each in space.get("pods")}, "its Pods are gone")
        phase(space, "Healthy")
    assert asking.failures == []
    set_version(space, "v2")
    phase(space, "Healthy")
    rows = [line.split() for line in command(engine, space, "history").stdout.splitlines()]
    assert [(row[0], row[-1]) for row in rows[1:]] == [("1", "payment-app:v1"), ("2", "payment-app:v2")]
    [first] = json.loads(command(engine, space, "history", "--revision", "1", "-o", "json").stdout)["revisions"]
    assert first["template"]["spec"]["containers"][0]["image"] == "payment-app:v1"


def test_what_does_not_run_here_is_refused_by_name(space):
    made = rollout({"canary": {"trafficRouting": {"istio": {}}}})
    said = space.refused("apply", "-f", "-", stdin=json.dumps(made))
    assert "spec.strategy.canary.trafficRouting: Forbidden: the gateway itself keeps the weights" in said
