"""boto3 against Lambda's API: functions, versions, aliases, code, invocations, waiters, and the errors of each."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json

import aiohttp
import pytest
from api_server_world import running as api_running
from lambda_api_world import KEY, ROLE, SECRET, code, function, running

from grandstand.client.fake import FakeClient
from grandstand.functions.lambda_api import InvokeKind
from grandstand.functions.lambda_api.operations import OPERATIONS, REFUSED
from grandstand.kinds.resources import FUNCTION_VERSIONS, FUNCTIONS

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"
VALIDATION = "ValidationException"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
MISSING = "arn:aws:lambda:us-east-1:000000000000:function:missing"


@pytest.fixture(params=["fake", "real"])
async def world(request, tmp_path):
    """Over the API in memory, and over the real API server with its rules."""
    if request.param == "fake":
        async with running(FakeClient(), tmp_path) as world:
            yield world
        return
    async with api_running(tmp_path / "api") as api, running(api.client, tmp_path) as world:
        yield world


@pytest.fixture
async def port(tmp_path):
    """Where the rules of the API server do not matter."""
    async with running(FakeClient(), tmp_path) as world:
        yield world


async def test_the_life_of_a_function(world):
    made = await world.make(Description="says hello", Environment={"Variables": {"A1": "b"}}, Tags={"team": "web"})
    digest = hashlib.sha256(code()).digest()
    assert (made["State"], made["StateReasonCode"], made["FunctionArn"], made["Version"]) == (
        "Pending",
        "Creating",
        ARN,
        "$LATEST",
    )
    assert made["CodeSha256"] == base64.b64encode(digest).decode()
    assert (made["CodeSize"], made["Timeout"], made["MemorySize"]) == (len(code()), 3, 128)
    for waiter in (
        "function_exists",
        "function_active",
        "function_active_v2",
        "function_updated",
        "function_updated_v2",
    ):
        await world.wait(waiter, FunctionName="hello")
    found = await world.call("get_function", FunctionName="hello")
    shown = found["Configuration"]
    assert (shown["State"], shown["LastUpdateStatus"], found["Tags"]) == ("Active", "Successful", {"team": "web"})
    assert shown["Environment"] == {"Variables": {"A1": "b"}}
    assert shown["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"}
    assert shown["EphemeralStorage"] == {"Size": 512}
    assert shown["LastModified"].endswith("+0000")
    async with aiohttp.ClientSession() as session, session.get(found["Code"]["Location"]) as answer:
        assert await answer.read() == code()
    (stored,) = (await world.client.list(FUNCTIONS, "default")).items
    assert stored["spec"]["code"] == {"sha256": digest.hex(), "sizeBytes": len(code())}
    assert (await world.call("delete_function", FunctionName="hello"))["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert await world.error("get_function", FunctionName="hello") == (404, NOT_FOUND, f"Function not found: {ARN}")


async def test_updates_and_revisions(world):
    made = await world.make()
    await world.wait("function_active_v2", FunctionName="hello")
    changed = await world.call("update_function_configuration", FunctionName="hello", MemorySize=256, Timeout=30)
    assert (changed["MemorySize"], changed["Timeout"], changed["LastUpdateStatus"]) == (256, 30, "InProgress")
    await world.wait("function_updated_v2", FunctionName="hello")
    assert changed["RevisionId"] != made["RevisionId"]
    status, name, message = await world.error(
        "update_function_configuration", FunctionName="hello", MemorySize=512, RevisionId=made["RevisionId"]
    )
    assert (status, name) == (412, "PreconditionFailedException")
    assert message.startswith("The Revision Id provided does not match the latest Revision Id.")
    arguments = {"FunctionName": "hello", "ZipFile": code("x = 1")}
    planned = await world.call("update_function_code", DryRun=True, **arguments)
    kept = await world.call("get_function_configuration", FunctionName="hello")
    assert planned["CodeSha256"] != kept["CodeSha256"] == made["CodeSha256"]
    updated = await world.call("update_function_code", RevisionId=kept["RevisionId"], **arguments)
    assert updated["CodeSha256"] == planned["CodeSha256"]
    assert updated["MemorySize"] == 256
    emptied = await world.call("update_function_configuration", FunctionName="hello", Environment={"Variables": {}})
    assert "Environment" not in emptied


async def test_versions(world):
    await world.make(Publish=True)
    published = await world.call("list_versions_by_function", FunctionName="hello")
    assert [each["Version"] for each in published["Versions"]] == ["$LATEST", "1"]
    same = await world.call("publish_version", FunctionName="hello")
    assert same["Version"] == "1"
    assert same["FunctionArn"] == f"{ARN}:1"
    await world.call("update_function_code", FunctionName="hello", ZipFile=code("x = 2"))
    second = await world.call("publish_version", FunctionName="hello", Description="better")
    assert (second["Version"], second["Description"], second["State"]) == ("2", "better", "Active")
    await world.wait("published_version_active", FunctionName="hello", Qualifier="2")
    first = await world.call("get_function_configuration", FunctionName=f"{ARN}:1")
    assert first["CodeSha256"] == same["CodeSha256"] != second["CodeSha256"]
    await world.call("delete_function", FunctionName="hello", Qualifier="2")
    third = await world.call("publish_version", FunctionName="hello")
    assert third["Version"] == "3", "a number is never given twice"
    status, name, message = await world.error("publish_version", FunctionName="hello", CodeSha256="x")
    assert (status, name) == (400, INVALID)
    assert message.startswith("CodeSHA256 (x) is different from current CodeSHA256 in $LATEST")
    assert [
        each["Version"] for each in await world.pages("list_versions_by_function", "Versions", FunctionName="hello")
    ] == [
        "$LATEST",
        "1",
        "3",
    ]
    assert (await world.error("get_function", FunctionName="hello", Qualifier="2"))[1] == NOT_FOUND
    assert await world.error("delete_function", FunctionName="hello", Qualifier="$LATEST") == (
        400,
        INVALID,
        "$LATEST version cannot be deleted without deleting the function.",
    )
    await world.call("delete_function", FunctionName="hello")
    assert (await world.client.list(FUNCTION_VERSIONS, "default")).items == []


async def test_aliases_and_weights(world):
    await world.make(Publish=True)
    await world.call("update_function_code", FunctionName="hello", ZipFile=code("x = 2"), Publish=True)
    made = await world.call("create_alias", FunctionName="hello", Name="live", FunctionVersion="1", Description="d")
    assert (made["AliasArn"], made["FunctionVersion"], made["Description"]) == (f"{ARN}:live", "1", "d")
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    shared = await world.call("update_alias", FunctionName="hello", Name="live", RoutingConfig=weights)
    assert shared["RoutingConfig"] == weights
    assert shared["RevisionId"] != made["RevisionId"]
    stale = {"FunctionName": "hello", "Name": "live", "FunctionVersion": "2", "RevisionId": made["RevisionId"]}
    assert (await world.error("update_alias", **stale))[:2] == (412, "PreconditionFailedException")
    cleared = await world.call(
        "update_alias",
        FunctionName="hello",
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    assert "RoutingConfig" not in cleared
    assert (await world.call("get_function_configuration", FunctionName="hello", Qualifier="live"))["Version"] == "2"
    await world.call("create_alias", FunctionName="hello", Name="next", FunctionVersion="$LATEST")
    assert [each["Name"] for each in await world.pages("list_aliases", "Aliases", 1, FunctionName="hello")] == [
        "live",
        "next",
    ]
    listed = await world.call("list_aliases", FunctionName="hello", FunctionVersion="2")
    assert [each["Name"] for each in listed["Aliases"]] == ["live"]
    assert await world.error("create_alias", FunctionName="hello", Name="live", FunctionVersion="1") == (
        409,
        CONFLICT,
        f"Alias already exists: {ARN}:live",
    )
    assert (await world.error("delete_function", FunctionName="hello", Qualifier="2"))[:2] == (409, CONFLICT)
    await world.call("delete_alias", FunctionName="hello", Name="live")
    assert await world.error("get_alias", FunctionName="hello", Name="live") == (
        404,
        NOT_FOUND,
        f"Cannot find alias arn: {ARN}:live",
    )


async def test_functions_from_images(world):
    fields = {"PackageType": "Image", "Code": {"ImageUri": "hello:1"}, "Runtime": None, "Handler": None}
    made = await world.make(**fields, ImageConfig={"Command": ["app.handler"]})
    assert made["PackageType"] == "Image"
    assert made["ImageConfigResponse"]["ImageConfig"] == {"Command": ["app.handler"]}
    await world.wait("function_active_v2", FunctionName="hello")
    found = await world.call("get_function", FunctionName="hello")
    assert found["Code"] == {"RepositoryType": "ECR", "ImageUri": "hello:1", "ResolvedImageUri": "hello:1"}
    await world.call("update_function_code", FunctionName="hello", ImageUri="hello:2")
    assert (await world.error("update_function_code", FunctionName="hello", ZipFile=code()))[:2] == (400, INVALID)


async def test_lists_have_markers(world):
    for number in range(5):
        await world.make(f"function-{number}", Publish=number == 1)
    names = [each["FunctionName"] for each in await world.pages("list_functions", "Functions")]
    assert names == [f"function-{number}" for number in range(5)]
    every = await world.pages("list_functions", "Functions", FunctionVersion="ALL")
    assert [(each["FunctionName"][-1], each["Version"]) for each in every][:3] == [
        ("0", "$LATEST"),
        ("1", "$LATEST"),
        ("1", "1"),
    ]
    assert "State" not in every[0]
    assert (await world.error("list_functions", Marker="%%"))[:2] == (400, INVALID)


async def test_names_that_are_no_labels(world):
    for name in ("Hello_World", "hello_world", "hello-world", "A" * 64):
        assert (await world.make(name))["FunctionName"] == name
    assert len((await world.client.list(FUNCTIONS, "default")).items) == 4
    assert (await world.call("get_function_configuration", FunctionName="Hello_World"))["FunctionName"] == "Hello_World"


LONG = {"Variables": {"A1": "x" * 4095}}


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        (
            {"MemorySize": 127},
            VALIDATION,
            "Value '127' at 'memorySize' failed to satisfy constraint: Member must have value",
        ),
        ({"MemorySize": 10241}, VALIDATION, "less than or equal to 10240"),
        ({"Timeout": 901}, VALIDATION, "at 'timeout'"),
        ({"Runtime": "python2.7"}, INVALID, "Value python2.7 at 'runtime' failed to satisfy constraint"),
        ({"Runtime": None}, INVALID, "Runtime and Handler are mandatory parameters"),
        ({"Handler": "a b"}, VALIDATION, "at 'handler'"),
        ({"Role": "worker"}, VALIDATION, "at 'role'"),
        ({"Environment": LONG}, INVALID, "exceeded the 4KB limit"),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            INVALID,
            "Reserved keys used in this request: AWS_REGION",
        ),
        ({"Environment": {"Variables": {"1": "x"}}}, VALIDATION, "at 'environment.variables'"),
        ({"EphemeralStorage": {"Size": 511}}, VALIDATION, "at 'ephemeralStorage.size'"),
        ({"Architectures": ["riscv"]}, VALIDATION, "at 'architectures'"),
        ({"Code": {"ZipFile": b"no zip"}}, INVALID, "Could not unzip uploaded file"),
        ({"Code": {"ZipFile": code(name="../app.py")}}, INVALID, "leads out of it"),
        ({"Code": {"ZipFile": code(mode=0o600)}}, INVALID, "chmod 644"),
        ({"Code": {}}, INVALID, "Please provide a source for function code."),
        ({"Code": {"S3Bucket": "bucket", "S3Key": "a.zip"}}, INVALID, "There is no S3 here"),
        ({"Code": {"S3Bucket": "local", "S3Key": "/nowhere/a.zip"}}, INVALID, "cannot be read"),
        ({"Code": {"ImageUri": "a:1"}}, INVALID, "PackageType Zip"),
        (
            {"Layers": [f"arn:aws:lambda:us-east-1:000000000000:layer:none:{n}" for n in range(6)]},
            INVALID,
            "more than 5",
        ),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:none:1"]}, INVALID, "layer:none:1 does not exist"),
        ({"VpcConfig": {"SubnetIds": ["a"], "SecurityGroupIds": ["b"]}}, INVALID, "VpcConfig is not supported"),
        ({"TracingConfig": {"Mode": "Active"}}, INVALID, "TracingConfig is not supported"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, INVALID, "SnapStart is not supported"),
        (
            {
                "FileSystemConfigs": [
                    {
                        "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-01234567890123456",
                        "LocalMountPath": "/mnt/a",
                    }
                ]
            },
            INVALID,
            "FileSystemConfigs is not supported",
        ),
        ({"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/a"}, INVALID, "KMSKeyArn is not supported"),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, INVALID, "LoggingConfig.LogFormat is not supported"),
    ],
)
async def test_what_is_refused_at_creation(port, fields, name, words):
    status, found, message = await port.error("create_function", **function(**fields))
    assert (status, found) == (400, name)
    assert words in message
    assert port.client.all(FUNCTIONS) == []


async def test_fields_that_say_what_is_so_anyway(port):
    await port.make(
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        TracingConfig={"Mode": "PassThrough"},
        SnapStart={"ApplyOn": "None"},
        DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"},
        LoggingConfig={"LogFormat": "Text", "LogGroup": "mine"},
    )
    found = await port.call("get_function_configuration", FunctionName="hello")
    assert found["DeadLetterConfig"] == {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}
    assert found["LoggingConfig"]["LogGroup"] == "mine"


async def test_code_from_a_path(port, tmp_path):
    (tmp_path / "app.zip").write_bytes(code())
    made = await port.make(Code={"S3Bucket": "local", "S3Key": str(tmp_path / "app.zip")})
    assert made["CodeSize"] == len(code())


async def test_code_from_a_path_is_for_loopback_only(tmp_path):
    (tmp_path / "app.zip").write_bytes(code())
    async with running(FakeClient(), tmp_path, loopback=False) as world:
        fields = {"Code": {"S3Bucket": "local", "S3Key": str(tmp_path / "app.zip")}}
        assert "only where this port is on loopback" in (await world.error("create_function", **function(**fields)))[2]


@pytest.mark.parametrize(
    "name",
    ["hello", ARN, "000000000000:function:hello", "function:hello", "000000000000:hello", f"{ARN}:$LATEST"],
)
async def test_every_way_to_name_a_function(port, name):
    await port.make()
    assert (await port.call("get_function_configuration", FunctionName=name))["FunctionName"] == "hello"
    assert (await port.call("invoke", FunctionName=name, Payload=b"1"))["Payload"].read() == b"1"


@pytest.mark.parametrize(
    ("arguments", "status", "name", "words"),
    [
        ({"FunctionName": "missing"}, 404, NOT_FOUND, f"Function not found: {MISSING}"),
        ({"FunctionName": "missing", "Qualifier": "7"}, 404, NOT_FOUND, f"Function not found: {MISSING}:7"),
        ({"FunctionName": "hello", "Qualifier": "none"}, 404, NOT_FOUND, f"Function not found: {ARN}:none"),
        ({"FunctionName": "hello:1", "Qualifier": "2"}, 400, INVALID, "The derived qualifier from the function name"),
        ({"FunctionName": "he llo"}, 400, VALIDATION, "at 'functionName' failed to satisfy constraint"),
        ({"FunctionName": ARN.replace("us-east-1", "eu-west-1")}, 404, NOT_FOUND, "not reachable in this region"),
        ({"FunctionName": ARN.replace("000000000000", "1" * 12)}, 403, "AccessDeniedException", "not reachable here"),
    ],
)
async def test_names_that_lead_nowhere(port, arguments, status, name, words):
    await port.make()
    found = await port.error("get_function_configuration", **arguments)
    assert found[:2] == (status, name)
    assert words in found[2]


async def test_a_function_is_made_once(port):
    await port.make()
    assert await port.error("create_function", **function()) == (409, CONFLICT, "Function already exist: hello")


async def test_updates_at_the_same_time_all_count(port):
    await port.make()
    tags = [{f"tag-{number}": "x"} for number in range(6)]
    await asyncio.gather(*(port.call("tag_resource", Resource=ARN, Tags=each) for each in tags))
    assert len((await port.call("list_tags", Resource=ARN))["Tags"]) == 6


async def test_invocations(port):
    await port.make(Publish=True)
    answer = await port.call("invoke", FunctionName="hello", Payload=b'{"a": 1}', LogType="Tail", Qualifier="1")
    assert (answer["StatusCode"], answer["ExecutedVersion"], answer["Payload"].read()) == (200, "1", b'{"a": 1}')
    assert base64.b64decode(answer["LogResult"]) == b"START\nEND\n"
    assert "FunctionError" not in answer
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    assert (await port.call("invoke", FunctionName="hello", ClientContext=context))["StatusCode"] == 200
    assert port.invoker.seen[-1].headers["x-amz-client-context"] == context
    event = await port.call("invoke", FunctionName="hello", InvocationType="Event", Payload=b"{}")
    assert (event["StatusCode"], event["Payload"].read()) == (202, b"")
    assert (await port.call("invoke", FunctionName="hello", InvocationType="DryRun"))["StatusCode"] == 204
    assert (await port.call("invoke_async", FunctionName="hello", InvokeArgs=b"{}"))["Status"] == 202
    assert [each.kind for each in port.invoker.seen] == [
        InvokeKind.REQUEST_RESPONSE,
        InvokeKind.REQUEST_RESPONSE,
        InvokeKind.EVENT,
        InvokeKind.DRY_RUN,
        InvokeKind.EVENT,
    ]
    assert [each.qualifier for each in port.invoker.seen] == ["1", "", "", "", ""]


async def test_a_fault_of_the_function_is_no_error_of_the_api(port):
    await port.make()
    port.invoker.fail.add("hello")
    answer = await port.call("invoke", FunctionName="hello")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    port.invoker.throttle.add("hello")
    assert await port.error("invoke", FunctionName="hello") == (429, "TooManyRequestsException", "Rate Exceeded.")


@pytest.mark.parametrize(
    ("arguments", "status", "name", "words"),
    [
        ({"FunctionName": "missing"}, 404, NOT_FOUND, f"Function not found: {MISSING}"),
        ({"Payload": b"no json"}, 400, "InvalidRequestContentException", "Could not parse request body into json"),
        ({"Payload": b"{} {}"}, 400, "InvalidRequestContentException", "Could not parse request body into json"),
        ({"Payload": b'"' + b"x" * (6 << 20) + b'"'}, 413, "RequestTooLargeException", "smaller than 6291456 bytes"),
        (
            {"Payload": b'"' + b"x" * (1 << 20) + b'"', "InvocationType": "Event"},
            413,
            "RequestTooLargeException",
            "smaller than 1048576 bytes",
        ),
        ({"InvocationType": "Later"}, 400, VALIDATION, "at 'invocationType'"),
        ({"LogType": "Head"}, 400, VALIDATION, "at 'logType'"),
        ({"ClientContext": "{}"}, 400, "InvalidRequestContentException", "Client context must be"),
        ({"ClientContext": "e30=" * 1000}, 400, INVALID, "no more than 3583 bytes"),
        ({"Qualifier": "none"}, 404, NOT_FOUND, f"Function not found: {ARN}:none"),
    ],
)
async def test_invocations_that_are_refused(port, arguments, status, name, words):
    await port.make()
    found = await port.error("invoke", **({"FunctionName": "hello"} | arguments))
    assert found[:2] == (status, name)
    assert words in found[2]
    assert port.invoker.seen == []


async def test_six_megabytes_pass(port):
    await port.make()
    payload = b'"' + b"x" * ((6 << 20) - 2) + b'"'
    answer = await port.call("invoke", FunctionName="hello", Payload=payload)
    assert await asyncio.to_thread(answer["Payload"].read) == payload


async def test_streamed_answers_pass_as_they_are(port):
    await port.make()
    await port.call("invoke_with_response_stream", FunctionName="hello", Payload=b"")
    assert port.invoker.seen[-1].kind is InvokeKind.STREAM


async def test_a_function_without_its_code_has_failed(port):
    made = await port.make()
    digest = base64.b64decode(made["CodeSha256"]).hex()
    await port.wait("function_active_v2", FunctionName="hello")
    port.artefacts.path(digest).rename(port.artefacts.root / "elsewhere")
    await port.call("update_function_configuration", FunctionName="hello", Timeout=5)
    async for event in port.client.watch(FUNCTIONS, "default"):
        if event.object["status"].get("state") == "Failed":
            break
    shown = await port.call("get_function_configuration", FunctionName="hello")
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Failed", "Failed")
    assert "upload it again" in shown["StateReason"]
    assert (await port.error("invoke", FunctionName="hello"))[:2] == (409, CONFLICT)


@pytest.mark.parametrize("operation", REFUSED, ids=lambda operation: operation.name)
async def test_what_is_not_supported_says_so(port, operation):
    path = "/".join("x" if part.startswith("{") else part for part in operation.template.split("/"))
    client = port.boto()
    names = client.meta.method_to_api_mapping
    assert operation.name in names.values()
    method = next(name for name, api in names.items() if api == operation.name)
    model = client.meta.service_model.operation_model(operation.name)
    assert model.http["method"] == operation.method
    assert [p for p in path.split("/") if p != "x"] == [
        p for p in model.http["requestUri"].split("/") if not p.startswith("{")
    ], method


def test_every_operation_of_the_model_is_answered_or_refused():
    import botocore.session

    model = botocore.session.get_session().get_service_model("lambda")
    ours = {operation.name: operation for operation in OPERATIONS}
    assert set(model.operation_names) - set(ours) == set()
    assert len(ours) == len(OPERATIONS)
    for name in model.operation_names:
        path, _, _ = model.operation_model(name).http["requestUri"].partition("?")
        theirs = [part if not part.startswith("{") else "{}" for part in path.strip("/").split("/")]
        own = [part if not part.startswith("{") else "{}" for part in ours[name].template.strip("/").split("/")]
        assert own == theirs, name
        assert ours[name].method == model.operation_model(name).http["method"]


async def test_a_refused_operation_has_an_error_with_its_name(port):
    status, name, message = await port.error("list_code_signing_configs")
    assert (status, name) == (404, "UnknownOperationException")
    assert message == "ListCodeSigningConfigs is not supported by Grandstand: code is not signed here"
    assert (await port.call("get_account_settings"))["AccountLimit"]["ConcurrentExecutions"] == 1000


class TestWhoIsLetIn:
    @pytest.mark.parametrize(
        ("service", "operation", "key", "secret", "code_"),
        [
            ("lambda", "list_functions", KEY, "wrong", "InvalidSignatureException"),
            ("lambda", "list_functions", "AKIAOTHER", SECRET, "UnrecognizedClientException"),
            ("sts", "get_caller_identity", KEY, "wrong", "SignatureDoesNotMatch"),
            ("sts", "get_caller_identity", "AKIAOTHER", SECRET, "InvalidClientTokenId"),
            ("logs", "describe_log_groups", KEY, "wrong", "InvalidSignatureException"),
        ],
    )
    async def test_wrong_keys(self, port, service, operation, key, secret, code_):
        client = port.boto(service, secret, key)
        with pytest.raises(client.exceptions.ClientError) as raised:
            await asyncio.to_thread(getattr(client, operation))
        assert raised.value.response["Error"]["Code"] == code_
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    async def test_no_signature(self, port):
        async with aiohttp.ClientSession() as session, session.get(f"{port.address}/2015-03-31/functions/") as answer:
            assert answer.status == 403
            assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
            assert answer.headers["x-amzn-RequestId"]
            assert (await answer.json())["Message"] == "Missing Authentication Token"

    async def test_code_needs_a_signature_too(self, port):
        made = await port.make()
        digest = base64.b64decode(made["CodeSha256"]).hex()
        async with aiohttp.ClientSession() as session, session.get(f"{port.address}/code/{digest}.zip") as answer:
            assert answer.status == 403

    async def test_without_signatures_on_loopback(self, tmp_path):
        async with running(FakeClient(), tmp_path, required=False) as world, aiohttp.ClientSession() as session:
            await world.make()
            address = f"{world.address}/2015-03-31/functions"
            for headers, status in (
                ({}, 200),
                ({"Origin": "http://evil.example"}, 403),
                ({"Sec-Fetch-Site": "cross-site"}, 403),
                ({"Host": "evil.example"}, 403),
                ({"Host": "localhost:1234"}, 200),
            ):
                async with session.get(address, headers=headers) as answer:
                    assert answer.status == status, headers
            location = (await world.call("get_function", FunctionName="hello"))["Code"]["Location"]
            async with session.get(location) as answer:
                assert await answer.read() == code()
            form = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
            async with session.post(world.address, data=form) as answer:
                assert "000000000000" in await answer.text()

    async def test_without_signatures_is_for_loopback_only(self, tmp_path):
        with pytest.raises(ValueError, match="loopback only"):
            async with running(FakeClient(), tmp_path, required=False, loopback=False):
                pass


async def test_a_body_that_is_too_large_is_not_taken(tmp_path):
    async with running(FakeClient(), tmp_path, required=False) as world, aiohttp.ClientSession() as session:
        sent = session.post(f"{world.address}/2015-03-31/functions", data=bytes(70_167_212))
        async with sent as answer:
            assert answer.status == 413
            assert answer.headers["x-amzn-errortype"] == "RequestEntityTooLargeException"


async def test_a_body_that_is_no_json(tmp_path):
    async with running(FakeClient(), tmp_path, required=False) as world, aiohttp.ClientSession() as session:
        for body in (b"{", b"[]", b'"x"'):
            async with session.post(f"{world.address}/2015-03-31/functions", data=body) as answer:
                assert answer.status == 400
                assert answer.headers["x-amzn-errortype"] == "InvalidRequestContentException"


async def test_the_role_of_the_examples_is_fine(port):
    assert (await port.make())["Role"] == ROLE
