"""Requests that no client would send to Lambda's API: each is answered, none with a fault of the platform."""

from __future__ import annotations

import random
from urllib.parse import quote

import aiohttp
import botocore.session
import msgspec
import pytest
from lambda_api_world import code, running

from grandstand.client.fake import FakeClient
from grandstand.functions.lambda_api.identity import IAM_ACTIONS, IAM_NAMESPACE
from grandstand.functions.lambda_api.log_reading import READS
from grandstand.functions.lambda_api.operations import SUPPORTED

VALUES = (
    *(
        None,
        0,
        -1,
        1,
        3,
        2**70,
        1.5,
        True,
        "",
        "x",
        "hello",
        "live",
        "1",
        "$LATEST",
        "ä" * 300,
        "arn:aws:sqs:us-east-1:0:q",
    ),
    *([], ["x"], [1], [None], [{}], {}, {"x": "y"}, {"x": 1}, {"Variables": None}, {"Variables": {"AB": "c"}}),
    *({"Size": "1"}, {"MaximumConcurrency": 0}, {"OnFailure": {"Destination": 1}}, {"ZipFile": "%"}, {"ImageUri": "a"}),
    *({"AdditionalVersionWeights": {"1": 2}}, {"AdditionalVersionWeights": {"x": 0.5}}, {"Filters": [{"Pattern": 1}]}),
    *(
        {"TargetArn": "x"},
        {"Mode": 1},
        {"LogFormat": "Text", "LogGroup": "g"},
        {"AllowMethods": ["GET"], "MaxAge": 10**9},
    ),
    *(
        "arn:aws:lambda:us-east-1:000000000000:function:hello",
        "lambda:InvokeFunction",
        "s3.amazonaws.com",
        "python3.11",
    ),
)
NAMES = ("hello", "hello:live", "hello:1", "missing", "a b", "", "%2F", "é", "x" * 200, "arn:aws:lambda:::", "..")
MODEL = botocore.session.get_session().get_service_model("lambda")


@pytest.fixture
async def port(tmp_path):
    async with running(FakeClient(), tmp_path, required=False) as world:
        await world.make(Publish=True)
        await world.call("create_alias", FunctionName="hello", Name="live", FunctionVersion="1")
        await world.call("publish_layer_version", LayerName="deps", Content={"ZipFile": code()})
        async with aiohttp.ClientSession(world.address) as session:
            yield session


def fields(chance: random.Random, names: list[str]) -> dict[str, object]:
    return {name: chance.choice(VALUES) for name in names if chance.random() < 0.6}


@pytest.mark.parametrize("operation", SUPPORTED, ids=lambda operation: operation.name)
async def test_no_request_is_a_fault_of_the_platform(port, operation):
    chance = random.Random(operation.name)
    members = list(MODEL.operation_model(operation.name).input_shape.members)
    for _ in range(40):
        path = "/".join(
            quote(chance.choice(NAMES), safe="") if part.startswith("{") else part
            for part in operation.template.split("/")
        )
        query = {key: str(chance.choice(NAMES)) for key in ("Qualifier", "Marker", "MaxItems") if chance.random() < 0.3}
        body = msgspec.json.encode(fields(chance, members)) if operation.method != "GET" else None
        async with port.request(operation.method, path, params=query, data=body) as answer:
            told = await answer.read()
            assert answer.status < 500, (path, query, body, told)


@pytest.mark.parametrize("name", READS)
async def test_no_reading_of_logs_is_a_fault_of_the_platform(port, name):
    chance = random.Random(name)
    members = [
        "logGroupName",
        "logStreamName",
        "logStreamNames",
        "nextToken",
        "limit",
        "startTime",
        "filterPattern",
        "orderBy",
    ]
    for _ in range(40):
        headers = {"X-Amz-Target": f"Logs_20140328.{name}", "Content-Type": "application/x-amz-json-1.1"}
        asked = {"logGroupName": "/aws/lambda/hello"} | fields(chance, members)
        async with port.post("/", data=msgspec.json.encode(asked), headers=headers) as answer:
            assert answer.status < 500, (asked, await answer.read())


@pytest.mark.parametrize("name", IAM_ACTIONS)
async def test_no_form_is_a_fault_of_the_platform(port, name):
    chance = random.Random(name)
    for _ in range(20):
        names = ("RoleName", "PolicyName", "PolicyArn", "PolicyDocument", "Path", "MaxSessionDuration")
        form = {key: str(chance.choice(NAMES)) for key in names if chance.random() < 0.7}
        form |= {"Action": name, "Version": IAM_NAMESPACE.strip("/")[-10:]}
        async with port.post("/", data=form) as answer:
            assert answer.status < 500, (form, await answer.read())
