"""Requests that no client would send to Lambda's API: each is answered, none with a fault of the platform."""

from __future__ import annotations

import base64
import random
from typing import Any
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

WRONG = (None, 0, -1, 2**70, 1.5, True, "x", [], [None], [{}], {}, {"x": 1}, "ä" * 300)
ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
TEXTS = (
    *(
        "",
        "x",
        "hello",
        "live",
        "1",
        "2",
        "$LATEST",
        "ä" * 300,
        "app.handler",
        "python3.11",
        "provided",
        "Text",
        "None",
    ),
    *(
        "arn:aws:sqs:us-east-1:000000000000:q",
        ARN,
        f"{ARN}:live",
        "arn:aws:iam::000000000000:role/r",
        "a b",
        "Zip",
        "Image",
    ),
    *(
        "arn:aws:lambda:us-east-1:000000000000:layer:deps:1",
        "deps",
        "lambda:InvokeFunction",
        "s3.amazonaws.com",
        "GET",
        "*",
    ),
    *(
        "NONE",
        "AWS_IAM",
        "BUFFERED",
        "RESPONSE_STREAM",
        "ReportBatchItemFailures",
        "PassThrough",
        "x86_64",
        "local",
        "/a",
    ),
)
INTEGERS = (0, 1, 2, 3, 10, 60, 128, 512, 901, 10_240, 10_241, -1, 2**31)
BLOBS = (code().hex(), base64.b64encode(code()).decode(), "", "%", "eA==")
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
    return {name: chance.choice(WRONG + TEXTS) for name in names if chance.random() < 0.6}


def value(chance: random.Random, shape: Any) -> Any:
    """A value as the model has it, mostly; what it says is anything."""
    if chance.random() < 0.02:
        return chance.choice(WRONG)
    match shape.type_name:
        case "structure":
            wanted = {*shape.required_members, *(name for name in shape.members if chance.random() < 0.15)}
            body = {name: each for name, each in shape.members.items() if not each.serialization.get("location")}
            return {name: value(chance, each) for name, each in body.items() if name in wanted}
        case "list":
            return [value(chance, shape.member) for _ in range(chance.choice((0, 1, 1, 2, 7)))]
        case "map":
            return {
                str(value(chance, shape.key)): value(chance, shape.value) for _ in range(chance.choice((0, 1, 1, 2)))
            }
        case "string":
            return chance.choice([*shape.enum, *TEXTS] if chance.random() < 0.5 or not shape.enum else shape.enum)
        case "boolean":
            return chance.random() < 0.5
        case "blob":
            return chance.choice(BLOBS)
        case "float" | "double":
            return chance.choice((0.0, 0.1, 1.0, 1.5, -1.0))
    return chance.choice(INTEGERS)


@pytest.mark.parametrize("operation", SUPPORTED, ids=lambda operation: operation.name)
async def test_no_request_is_a_fault_of_the_platform(port, operation):
    chance = random.Random(operation.name)
    shape = MODEL.operation_model(operation.name).input_shape
    answers = set()
    for _ in range(80):
        names = NAMES if chance.random() < 0.2 else ("hello", "live", "1")
        path = "/".join(
            quote("hello" if part == "{FunctionName}" and names is not NAMES else chance.choice(names), safe="")
            if part.startswith("{")
            else part
            for part in operation.template.split("/")
        )
        query = {key: str(chance.choice(NAMES)) for key in ("Qualifier", "Marker", "MaxItems") if chance.random() < 0.1}
        body = msgspec.json.encode(value(chance, shape)) if operation.method != "GET" else None
        async with port.request(operation.method, path, params=query, data=body) as answer:
            told = await answer.read()
            assert answer.status < 500, (path, query, body, told)
            answers.add((answer.status, answer.headers.get("x-amzn-errortype")))
    assert len(answers) > 1 or not shape.members, "nothing was reached behind the first check"


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
