"""Functions, their versions, layers and triggers: Lambda's limits, and what of them may change."""

from __future__ import annotations

from typing import Any

import pytest
from api_rules_objects import changed, created, function, refusals, update_refusals
from hypothesis import given
from hypothesis import strategies as st

from grandstand.api import rules
from grandstand.api.schema import Schemas
from grandstand.kinds import Function, Object, view
from grandstand.kinds.functions import FUNCTION_NAME, object_name, version_name
from grandstand.kinds.resources import FUNCTION_LAYERS, FUNCTION_TRIGGERS, FUNCTION_VERSIONS, FUNCTIONS

SHA = "ab" * 32


def fields(found: list[str]) -> list[str]:
    return [text.partition(": ")[0] for text in found]


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        (function(memoryMB=127), "spec.memoryMB"),
        (function(memoryMB=10_241), "spec.memoryMB"),
        (function(timeoutSeconds=901), "spec.timeoutSeconds"),
        (function(ephemeralStorageMB=511), "spec.ephemeralStorageMB"),
        (function(runtime="ruby3.3"), "spec.runtime"),
        (function(runtime=""), "spec.runtime"),
        (function(handler=""), "spec.handler"),
        (function(handler="app handler"), "spec.handler"),
        (function(code={}), "spec.code"),
        (function(code={"sha256": SHA, "image": "hello:1"}), "spec.code"),
        (function(code={"sha256": "AB" * 32}), "spec.code.sha256"),
        (function(code={"image": "hello:1"}), "spec.runtime"),
        (function(imageConfig={"command": ["a.b"]}), "spec.imageConfig"),
        (function(environment={"A1": "x" * 4095}), "spec.environment"),
        (function(environment={"AWS_REGION": "x"}), "spec.environment[AWS_REGION]"),
        (function(environment={"1A": "x"}), "spec.environment[1A]"),
        (function(layers=[{"sha256": SHA}] * 6), "spec.layers"),
        (function(layers=[{"sha256": "x"}]), "spec.layers[0].sha256"),
        (function(architectures=["riscv"]), "spec.architectures[0]"),
        (function(architectures=["x86_64", "arm64"]), "spec.architectures"),
        (function(reservedConcurrency=-1), "spec.reservedConcurrency"),
        (function(functionName="a b"), "spec.functionName"),
        (function(functionName="Hello"), "metadata.name"),
        (function(url={"authType": "BASIC"}), "spec.url.authType"),
        (function(url={"authType": "NONE", "invokeMode": "FAST"}), "spec.url.invokeMode"),
        (function(url={"authType": "NONE", "cors": {"maxAgeSeconds": 86_401}}), "spec.url.cors.maxAgeSeconds"),
        (function(url={"authType": "NONE", "cors": {"allowMethods": ["OPTIONS"]}}), "spec.url.cors.allowMethods[0]"),
        (
            function(url={"authType": "NONE", "cors": {"exposeHeaders": ["a\r\nb: c"]}}),
            "spec.url.cors.exposeHeaders[0]",
        ),
        (function(url={"authType": "NONE", "cors": {"allowOrigins": ["a" * 254]}}), "spec.url.cors.allowOrigins[0]"),
        (function(asyncInvoke={"maximumRetryAttempts": 3}), "spec.asyncInvoke.maximumRetryAttempts"),
        (function(asyncInvoke={"maximumEventAgeSeconds": 59}), "spec.asyncInvoke.maximumEventAgeSeconds"),
        (function(qualified={"$LATEST": {"provisioned": {"instances": 1}}}), "spec.qualified[$LATEST].provisioned"),
        (function(qualified={"a b": {}}), "spec.qualified[a b]"),
        (function(aliases=[{"name": "12", "version": "1"}]), "spec.aliases[0].name"),
        (function(aliases=[{"name": "live", "version": "new"}]), "spec.aliases[0].version"),
        (function(aliases=[{"name": "a", "version": "1"}] * 2), "spec.aliases[1].name"),
        (function(aliases=[{"name": "a", "version": "1", "weights": {"2": 1.5}}]), "spec.aliases[0].weights[2]"),
        (function(aliases=[{"name": "a", "version": "$LATEST", "weights": {"2": 0.5}}]), "spec.aliases[0].weights[2]"),
    ],
)
def test_what_is_wrong_with_a_function(obj, field):
    assert field in fields(refusals(FUNCTIONS, obj))


@pytest.mark.parametrize(
    "obj",
    [
        function(),
        function(runtime="provided.al2023", handler="bootstrap"),
        changed(function(code={"image": "hello:1"}, runtime="", handler=""), "metadata.name", "hello"),
        function(environment={"A1": "x" * 4094}),
        function(aliases=[{"name": "live", "version": "1", "weights": {"2": 0.1}}]),
        function(qualified={"live": {"url": {"authType": "AWS_IAM"}, "provisioned": {"instances": 2}}}),
        function(url={"authType": "NONE", "cors": {"maxAgeSeconds": 86_400}}),
    ],
)
def test_what_is_fine(obj):
    assert refusals(FUNCTIONS, obj) == []


def test_defaults_are_lambdas():
    seen = view(Function, created(FUNCTIONS, function()))
    assert (seen.spec.memory_mb, seen.spec.timeout_seconds, seen.spec.ephemeral_storage_mb) == (128, 3, 512)
    assert (seen.spec.function_name, seen.spec.architectures, seen.status.state) == ("hello", ["x86_64"], "Pending")


def test_a_function_keeps_its_name():
    assert "spec.functionName" in fields(
        update_refusals(FUNCTIONS, function(functionName="other"), function(functionName="hello"))
    )


def version(**spec: Any) -> Object:
    frozen = {**function()["spec"], "functionName": "hello", "function": "hello", "version": "1"}
    return {**function(), "kind": "FunctionVersion", "metadata": {"name": "hello.1", "namespace": "default"}} | {
        "spec": frozen | spec
    }


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        (version(version="0"), "spec.version"),
        (version(version="2"), "metadata.name"),
        (version(function="other"), "spec.function"),
        (version(memoryMB=1), "spec.memoryMB"),
    ],
)
def test_what_is_wrong_with_a_version(obj, field):
    assert field in fields(refusals(FUNCTION_VERSIONS, obj))


def test_a_version_is_frozen():
    assert refusals(FUNCTION_VERSIONS, version()) == []
    assert fields(update_refusals(FUNCTION_VERSIONS, version(memoryMB=256), version())) == ["spec"]


def trigger(**spec: Any) -> Object:
    return {"metadata": {"name": "it", "namespace": "default"}, "spec": {"functionName": "hello", **spec}}


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        (trigger(), "spec"),
        (trigger(sqs={"queueArn": "a"}, s3={"bucket": "b", "events": ["x"]}), "spec"),
        (trigger(sqs={}), "spec.sqs.queueArn"),
        (trigger(sqs={"queueArn": "a", "batchSize": 11}), "spec.sqs.maximumBatchingWindowSeconds"),
        (trigger(sqs={"queueArn": "a", "maximumConcurrency": 1}), "spec.sqs.maximumConcurrency"),
        (trigger(schedule={"expression": "hourly"}), "spec.schedule.expression"),
        (trigger(s3={"events": ["s3:ObjectCreated:*"]}), "spec.s3"),
        (trigger(s3={"directory": "/photos"}), "spec.s3.events"),
        (trigger(functionName="", schedule={"expression": "rate(1 minute)"}), "spec.functionName"),
    ],
)
def test_what_is_wrong_with_a_trigger(obj, field):
    assert field in fields(refusals(FUNCTION_TRIGGERS, obj))


def test_triggers_that_are_fine():
    for source in ({"sqs": {"queueArn": "a"}}, {"schedule": {"expression": "cron(0 12 * * ? *)"}}):
        assert refusals(FUNCTION_TRIGGERS, trigger(**source)) == []


def test_a_layer_has_code():
    spec = {"layerName": "deps", "version": "1", "code": {"sha256": SHA}}
    layer = {"metadata": {"name": "deps-1", "namespace": "default"}, "spec": spec}
    assert refusals(FUNCTION_LAYERS, layer) == []
    assert "spec.code.sha256" in fields(refusals(FUNCTION_LAYERS, changed(layer, "spec.code", {})))


def test_the_schema_drops_nothing_of_a_whole_function():
    whole = function(
        functionName="hello",
        layers=[{"arn": "a", "sha256": SHA, "sizeBytes": 3}],
        environment={"AB": "1"},
        aliases=[{"name": "a", "version": "1", "description": "d", "weights": {"2": 0.1}}],
        policy=[{"Sid": "x"}],
        qualified={"a": {"url": {"authType": "NONE"}, "provisioned": {"instances": 1}}},
        tags={"team": "web"},
    )
    checked = Schemas.load().check(FUNCTIONS, whole)
    assert (checked.unknown, checked.invalid) == ((), ())
    assert checked.object["spec"] == whole["spec"]


@given(st.from_regex(FUNCTION_NAME, fullmatch=True), st.from_regex(FUNCTION_NAME, fullmatch=True))
def test_every_name_of_lambda_has_an_object_of_its_own(first, second):
    obj = changed(changed(function(), "spec.functionName", first), "metadata.name", object_name(first))
    assert refusals(FUNCTIONS, obj) == []
    assert rules.validate(FUNCTION_VERSIONS, created(FUNCTION_VERSIONS, version()), None) == ()
    assert (object_name(first) == object_name(second)) == (first == second)
    assert version_name(first, "7").startswith(object_name(first))
