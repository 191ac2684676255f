"""AnalysisRuns that are applied by hand: measured by the gateway, shown and ended by kubectl."""

import json

from space import eventually, payment, pod, service

KIND = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun"}


def analysis(name, query=None, **metric):
    query = {"service": "{{args.service}}", "metric": "error_share", **(query or {})}
    shown = {"name": "errors", "interval": "1s", "successCondition": "result <= 0.05"} | metric
    shown.setdefault("provider", {"plugin": {"grandstand.dev/gateway": query}})
    spec = {"metrics": [shown], "args": [{"name": "service", "value": "web"}]}
    return {**KIND, "metadata": {"name": name}, "spec": spec}


def phase(space, name, wanted):
    eventually(lambda: space.get("ar", name).get("status", {}).get("phase") == wanted, f"{name} is {wanted}")


def test_what_the_gateway_measures_decides(space):
    space.run(pod("web", payment(), labels={"app": "web"}))
    space.apply(service("web"))
    space.apply(
        analysis("quiet", count=1, consecutiveErrorLimit=0, initialDelay="2s"),
        analysis("quiet-is-fine", {"noData": "success"}, count=2, initialDelay="2s"),
        analysis("endless", {"metric": "requests_per_second"}, successCondition="result >= 0"),
    )
    phase(space, "quiet", "Error")
    phase(space, "quiet-is-fine", "Successful")
    said = space.get("ar", "quiet")["status"]["message"]
    assert "assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0)" in said
    assert "Service web" in said
    phase(space, "endless", "Running")
    assert space.get("ar", "endless")["status"]["metricResults"][0]["count"] >= 1
    space.kubectl("patch", "ar", "endless", "--type=merge", "-p", '{"spec":{"terminate":true}}')
    phase(space, "endless", "Successful")
    lines = space.kubectl("get", "analysisruns").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["NAME", "STATUS"],
        ["endless", "Successful"],
        ["quiet", "Error"],
        ["quiet-is-fine", "Successful"],
    ]


def test_what_is_not_understood_is_refused_when_it_is_applied(space):
    made = analysis("wrong", successCondition="len(result) > 0", provider={"prometheus": {"query": "up"}})
    said = space.refused("apply", "-f", "-", stdin=json.dumps(made))
    assert "successCondition: Invalid value" in said
    assert "provider.prometheus: Forbidden: the one provider here is the gateway" in said
