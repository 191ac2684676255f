"""boto3 against Lambda's API: what is set for functions and qualifiers, layers, triggers; STS, IAM and Logs."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from api_server_world import running as api_running
from lambda_api_world import GROUP, code, running

from grandstand.client.fake import FakeClient
from grandstand.kinds.resources import FUNCTION_TRIGGERS, FUNCTIONS

NOT_FOUND = "ResourceNotFoundException"
INVALID = "InvalidParameterValueException"
CONFLICT = "ResourceConflictException"
VALIDATION = "ValidationException"
NO_RESOURCE = (404, NOT_FOUND, "The resource you requested does not exist.")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:deps"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
HELLO = {"FunctionName": "hello"}
LIVE = {"FunctionName": "hello", "Qualifier": "live"}


@pytest.fixture(params=["fake", "real"])
async def world(request, tmp_path):
    """With a function hello that has the version 1 and the alias live, over both APIs."""
    if request.param == "fake":
        async with running(FakeClient(), tmp_path) as world:
            await _prepare(world)
            yield world
        return
    async with api_running(tmp_path / "api") as api, running(api.client, tmp_path) as world:
        await _prepare(world)
        yield world


async def _prepare(world):
    await world.make(Publish=True)
    await world.call("create_alias", **HELLO, Name="live", FunctionVersion="1")


async def test_reserved_concurrency(world):
    assert "ReservedConcurrentExecutions" not in await world.call("get_function_concurrency", **HELLO)
    await world.call("put_function_concurrency", **HELLO, ReservedConcurrentExecutions=100)
    assert (await world.call("get_function_concurrency", **HELLO))["ReservedConcurrentExecutions"] == 100
    found = await world.call("get_function", **HELLO)
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 100}
    limits = (await world.call("get_account_settings"))["AccountLimit"]
    assert (limits["UnreservedConcurrentExecutions"], limits["CodeSizeZipped"]) == (900, 52_428_800)
    status, name, message = await world.error("put_function_concurrency", **HELLO, ReservedConcurrentExecutions=901)
    assert (status, name) == (400, INVALID)
    assert message.endswith("below its minimum value of [100].")
    status, name, _ = await world.error("put_function_concurrency", **HELLO, ReservedConcurrentExecutions=-1)
    assert (status, name) == (400, VALIDATION)
    await world.call("put_function_concurrency", **HELLO, ReservedConcurrentExecutions=0)
    assert (await world.call("get_function_concurrency", **HELLO))["ReservedConcurrentExecutions"] == 0
    await world.call("delete_function_concurrency", **HELLO)
    assert "ReservedConcurrentExecutions" not in await world.call("get_function_concurrency", **HELLO)


async def test_provisioned_concurrency(world):
    missing = await world.error("get_provisioned_concurrency_config", **LIVE)
    assert missing == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    made = await world.call("put_provisioned_concurrency_config", **LIVE, ProvisionedConcurrentExecutions=3)
    assert (made["Status"], made["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 3)
    status = {"status": {"provisioned": {"live": 3}}}
    await world.client.patch(FUNCTIONS, "default", "hello", status, subresource="status")
    ready = await world.call("get_provisioned_concurrency_config", **LIVE)
    assert (ready["Status"], ready["AvailableProvisionedConcurrentExecutions"]) == ("READY", 3)
    await world.call("put_provisioned_concurrency_config", **HELLO, Qualifier="1", ProvisionedConcurrentExecutions=1)
    listed = await world.pages("list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs", 1, **HELLO)
    assert [each["FunctionArn"] for each in listed] == [f"{ARN}:1", f"{ARN}:live"]
    status, name, message = await world.error(
        "put_provisioned_concurrency_config", **HELLO, Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
    )
    assert (status, name) == (400, INVALID)
    assert message == "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    await world.call("delete_provisioned_concurrency_config", **LIVE)
    assert (await world.error("get_provisioned_concurrency_config", **LIVE))[1] == missing[1]


async def test_function_urls(world):
    cors = {"AllowOrigins": ["*"], "MaxAge": 60}
    made = await world.call("create_function_url_config", **HELLO, AuthType="NONE", Cors=cors)
    assert (made["FunctionUrl"], made["AuthType"], made["Cors"]) == (
        "http://hello.lambda-url.localhost:8080/",
        "NONE",
        cors,
    )
    status, name, message = await world.error("create_function_url_config", **HELLO, AuthType="NONE")
    assert (status, name) == (409, CONFLICT)
    assert message.endswith("FunctionUrlConfig exists for this Lambda function")
    changed = await world.call("update_function_url_config", **HELLO, InvokeMode="RESPONSE_STREAM")
    assert (changed["InvokeMode"], changed["Cors"]) == ("RESPONSE_STREAM", cors)
    alias = await world.call("create_function_url_config", **LIVE, AuthType="AWS_IAM")
    assert alias["FunctionUrl"] == "http://hello--live.lambda-url.localhost:8080/"
    assert (await world.call("get_function_url_config", **LIVE))["FunctionArn"] == f"{ARN}:live"
    listed = await world.pages("list_function_url_configs", "FunctionUrlConfigs", 1, **HELLO)
    assert [each["FunctionArn"] for each in listed] == [ARN, f"{ARN}:live"]
    await world.call("delete_function_url_config", **HELLO)
    assert await world.error("get_function_url_config", **HELLO) == NO_RESOURCE
    assert await world.error("delete_function_url_config", **HELLO) == NO_RESOURCE
    assert (await world.error("create_function_url_config", **HELLO, AuthType="BASIC"))[:2] == (400, VALIDATION)
    for cors in ({"AllowMethods": ["OPTIONS"]}, {"ExposeHeaders": ["a\r\nb: c"]}, {"AllowOrigins": ["a" * 254]}):
        refused = await world.error("create_function_url_config", **HELLO, AuthType="NONE", Cors=cors)
        assert refused[:2] == (400, "InvalidParameterValueException"), cors
    assert (await world.error("create_function_url_config", **HELLO, Qualifier="1", AuthType="NONE"))[1] == VALIDATION


async def test_event_invoke_configurations(world):
    assert await world.error("get_function_event_invoke_config", **HELLO) == (
        404,
        NOT_FOUND,
        f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig",
    )
    assert (await world.error("update_function_event_invoke_config", **HELLO, MaximumRetryAttempts=1))[1] == NOT_FOUND
    destinations = {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}}
    made = await world.call(
        "put_function_event_invoke_config", **HELLO, MaximumRetryAttempts=0, DestinationConfig=destinations
    )
    assert (made["FunctionArn"], made["MaximumRetryAttempts"]) == (f"{ARN}:$LATEST", 0)
    assert made["DestinationConfig"] == destinations
    changed = await world.call("update_function_event_invoke_config", **HELLO, MaximumEventAgeInSeconds=60)
    assert (changed["MaximumRetryAttempts"], changed["MaximumEventAgeInSeconds"]) == (0, 60)
    replaced = await world.call("put_function_event_invoke_config", **HELLO, MaximumEventAgeInSeconds=61)
    assert "MaximumRetryAttempts" not in replaced
    await world.call("put_function_event_invoke_config", **LIVE, MaximumRetryAttempts=1)
    listed = await world.pages("list_function_event_invoke_configs", "FunctionEventInvokeConfigs", 1, **HELLO)
    assert [each["FunctionArn"] for each in listed] == [f"{ARN}:$LATEST", f"{ARN}:live"]
    for wrong in ({"MaximumRetryAttempts": 3}, {"MaximumEventAgeInSeconds": 59}):
        assert (await world.error("put_function_event_invoke_config", **HELLO, **wrong))[:2] == (400, VALIDATION)
    assert (await world.error("put_function_event_invoke_config", **HELLO))[2] == (
        "You must specify at least one of error handling or destination setting."
    )
    await world.call("delete_function_event_invoke_config", **HELLO)
    assert (await world.error("delete_function_event_invoke_config", **HELLO))[1] == NOT_FOUND
    await world.call("delete_alias", **HELLO, Name="live")
    assert (await world.error("get_function_event_invoke_config", **LIVE))[1] == NOT_FOUND


async def test_event_source_mappings(world):
    asked = {
        "EventSourceArn": QUEUE,
        "BatchSize": 5,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 4},
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
    }
    made = await world.call("create_event_source_mapping", FunctionName="hello:live", **asked)
    assert (made["State"], made["FunctionArn"], made["BatchSize"]) == ("Creating", f"{ARN}:live", 5)
    found = await world.call("get_event_source_mapping", UUID=made["UUID"])
    assert found["State"] == "Enabled"
    for key in ("FunctionResponseTypes", "ScalingConfig", "FilterCriteria"):
        assert found[key] == asked[key]
    (stored,) = (await world.client.list(FUNCTION_TRIGGERS, "default")).items
    assert (stored["spec"]["functionName"], stored["spec"]["qualifier"]) == ("hello", "live")
    status, name, message = await world.error("create_event_source_mapping", FunctionName="hello:live", **asked)
    assert (status, name) == (409, CONFLICT)
    assert message.endswith(made["UUID"])
    changed = await world.call("update_event_source_mapping", UUID=made["UUID"], Enabled=False, BatchSize=1)
    assert (changed["State"], changed["BatchSize"]) == ("Updating", 1)
    assert (await world.call("get_event_source_mapping", UUID=made["UUID"]))["State"] == "Disabled"
    for number in range(3):
        await world.call("create_event_source_mapping", **HELLO, EventSourceArn=f"{QUEUE}-{number}")
    assert len(await world.pages("list_event_source_mappings", "EventSourceMappings")) == 4
    listed = await world.call("list_event_source_mappings", EventSourceArn=QUEUE, FunctionName="hello:live")
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [made["UUID"]]
    await world.call("tag_resource", Resource=made["EventSourceMappingArn"], Tags={"a": "b"})
    assert (await world.call("list_tags", Resource=made["EventSourceMappingArn"]))["Tags"] == {"a": "b"}
    assert (await world.call("delete_event_source_mapping", UUID=made["UUID"]))["State"] == "Deleting"
    assert await world.error("get_event_source_mapping", UUID=made["UUID"]) == NO_RESOURCE


@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/a"}, INVALID, "from queues only"),
        ({"EventSourceArn": QUEUE, "BatchSize": 11}, INVALID, "Maximum batch window in seconds must be greater than 0"),
        ({"EventSourceArn": QUEUE, "BatchSize": 10_001}, VALIDATION, "at 'batchSize'"),
        ({"EventSourceArn": QUEUE, "ScalingConfig": {"MaximumConcurrency": 1}}, VALIDATION, "maximumConcurrency"),
        ({"EventSourceArn": QUEUE, "StartingPosition": "LATEST"}, INVALID, "StartingPosition is not supported"),
        ({"EventSourceArn": QUEUE, "FunctionName": "none"}, NOT_FOUND, "Function not found"),
    ],
)
async def test_mappings_that_are_refused(tmp_path, fields, name, words):
    async with running(FakeClient(), tmp_path) as world:
        await world.make()
        _, found, message = await world.error("create_event_source_mapping", **(HELLO | fields))
        assert found == name
        assert words in message


async def test_tags(world):
    await world.call("tag_resource", Resource=ARN, Tags={"a": "1", "b": "2"})
    await world.call("untag_resource", Resource=ARN, TagKeys=["a", "c"])
    assert (await world.call("list_tags", Resource=ARN))["Tags"] == {"b": "2"}
    assert (await world.error("tag_resource", Resource=f"{ARN}:1", Tags={"a": "1"}))[:2] == (400, INVALID)
    many = {f"t{number}": "x" for number in range(51)}
    assert (await world.error("tag_resource", Resource=ARN, Tags=many))[:2] == (400, INVALID)


async def test_permissions(world):
    asked = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    added = await world.call(
        "add_permission", **HELLO, **asked, SourceArn="arn:aws:s3:::photos", SourceAccount="0" * 12
    )
    assert json.loads(added["Statement"]) == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::photos"},
            "StringEquals": {"AWS:SourceAccount": "0" * 12},
        },
    }
    status, name, message = await world.error("add_permission", **HELLO, **asked)
    assert (status, name) == (409, CONFLICT)
    assert message.startswith("The statement id (s3) provided already exists.")
    await world.call("add_permission", **LIVE, **asked)
    policy = await world.call("get_policy", **HELLO)
    assert [each["Sid"] for each in json.loads(policy["Policy"])["Statement"]] == ["s3"]
    assert json.loads((await world.call("get_policy", **LIVE))["Policy"])["Statement"][0]["Resource"] == f"{ARN}:live"
    remove = {**HELLO, "StatementId": "s3"}
    assert (await world.error("remove_permission", **remove, RevisionId="other"))[:2] == (
        412,
        "PreconditionFailedException",
    )
    await world.call("remove_permission", **remove, RevisionId=policy["RevisionId"])
    assert await world.error("get_policy", **HELLO) == NO_RESOURCE
    assert (await world.error("remove_permission", **remove))[2] == "Statement s3 is not found in resource policy."
    for wrong in ({"Action": "s3:Get"}, {"StatementId": "a b"}):
        assert (await world.error("add_permission", **HELLO, **(asked | wrong)))[:2] == (400, VALIDATION)
    assert (await world.error("add_permission", **HELLO, **(asked | {"Principal": "me"})))[:2] == (400, INVALID)


async def test_layers(world):
    asked = {"LayerName": "deps", "Content": {"ZipFile": code("x = 1", "python/deps.py")}}
    made = await world.call("publish_layer_version", **asked, CompatibleRuntimes=["python3.11"], LicenseInfo="MIT")
    assert (made["Version"], made["LayerArn"], made["LayerVersionArn"]) == (1, LAYER, f"{LAYER}:1")
    async with aiohttp.ClientSession() as session, session.get(made["Content"]["Location"]) as answer:
        assert await answer.read() == asked["Content"]["ZipFile"]
    second = await world.call("publish_layer_version", **asked)
    assert second["Version"] == 2
    assert (await world.call("get_layer_version", LayerName="deps", VersionNumber=1))["LicenseInfo"] == "MIT"
    assert (await world.call("get_layer_version_by_arn", Arn=f"{LAYER}:2"))["Version"] == 2
    versions = await world.pages("list_layer_versions", "LayerVersions", 1, LayerName="deps")
    assert [each["Version"] for each in versions] == [2, 1]
    await world.call("publish_layer_version", **(asked | {"LayerName": "other"}))
    assert [each["LayerName"] for each in await world.pages("list_layers", "Layers", 1)] == ["deps", "other"]
    matching = (await world.call("list_layers", CompatibleRuntime="python3.11"))["Layers"]
    assert [each["LatestMatchingVersion"]["Version"] for each in matching] == [1]
    updated = await world.call("update_function_configuration", **HELLO, Layers=[f"{LAYER}:1"])
    assert updated["Layers"] == [{"Arn": f"{LAYER}:1", "CodeSize": made["Content"]["CodeSize"]}]
    await world.wait("function_updated_v2", FunctionName="hello")
    await world.call("update_function_code", **HELLO, ZipFile=code("x = 3"))
    await world.call("delete_layer_version", LayerName="deps", VersionNumber=1)
    await world.call("delete_layer_version", LayerName="deps", VersionNumber=2)
    assert await world.error("get_layer_version", LayerName="deps", VersionNumber=2) == NO_RESOURCE
    third = await world.call("publish_layer_version", **asked)
    assert third["Version"] == 3, "a number is never given twice"
    twice = [f"{LAYER}:3", f"{LAYER}:3"]
    assert (await world.error("update_function_configuration", **HELLO, Layers=twice))[:2] == (400, INVALID)
    gone = await world.error("update_function_configuration", **HELLO, Layers=[f"{LAYER}:1"])
    assert gone == (400, INVALID, f"Layer version {LAYER}:1 does not exist.")
    assert (await world.call("update_function_configuration", **HELLO, Layers=[])).get("Layers") is None


async def test_code_of_functions_whose_layer_is_deleted_can_still_be_changed(world):
    asked = {"LayerName": "deps", "Content": {"ZipFile": code("x = 1", "python/deps.py")}}
    await world.call("publish_layer_version", **asked)
    await world.call("update_function_configuration", **HELLO, Layers=[f"{LAYER}:1"])
    await world.call("delete_layer_version", LayerName="deps", VersionNumber=1)
    changed = await world.call("update_function_code", **HELLO, ZipFile=code("x = 4"))
    assert changed["Layers"][0]["Arn"] == f"{LAYER}:1"


async def test_who_am_i(world):
    identity = await world.call("get_caller_identity", "sts")
    assert (identity["Account"], identity["Arn"]) == ("0" * 12, "arn:aws:iam::000000000000:root")
    status, name, message = await world.error("get_session_token", "sts")
    assert (status, name) == (400, "InvalidAction")
    assert "GetCallerIdentity" in message


async def test_roles_as_infrastructure_tools_use_them(world):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
    role = {"RoleName": "worker"}
    assert await world.error("get_role", "iam", **role) == (
        404,
        "NoSuchEntity",
        "The role with name worker cannot be found.",
    )
    made = await world.call("create_role", "iam", **role, AssumeRolePolicyDocument=json.dumps(trust))
    assert made["Role"]["Arn"] == "arn:aws:iam::000000000000:role/worker"
    found = (await world.call("get_role", "iam", **role))["Role"]
    assert found["AssumeRolePolicyDocument"] == trust
    assert (await world.error("create_role", "iam", **role, AssumeRolePolicyDocument="{}"))[:2] == (
        409,
        "EntityAlreadyExists",
    )
    attached = {**role, "PolicyArn": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}
    await world.call("attach_role_policy", "iam", **attached)
    listed = (await world.call("list_attached_role_policies", "iam", **role))["AttachedPolicies"]
    assert [each["PolicyName"] for each in listed] == ["AWSLambdaBasicExecutionRole"]
    inline = {**role, "PolicyName": "extra"}
    await world.call("put_role_policy", "iam", **inline, PolicyDocument=json.dumps(trust))
    assert (await world.call("get_role_policy", "iam", **inline))["PolicyDocument"] == trust
    assert (await world.call("list_role_policies", "iam", **role))["PolicyNames"] == ["extra"]
    assert (await world.call("list_instance_profiles_for_role", "iam", **role))["InstanceProfiles"] == []
    assert (await world.error("delete_role", "iam", **role))[:2] == (409, "DeleteConflict")
    await world.call("detach_role_policy", "iam", **attached)
    await world.call("delete_role_policy", "iam", **inline)
    assert [each["RoleName"] for each in (await world.call("list_roles", "iam"))["Roles"]] == ["worker"]
    await world.call("delete_role", "iam", **role)
    assert (await world.error("create_role", "iam", RoleName="a b", AssumeRolePolicyDocument="{}"))[
        1
    ] == "ValidationError"
    tagged = {"RoleName": "b", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "a", "Value": "b"}]}
    assert (await world.error("create_role", "iam", **tagged))[1] == "ValidationError"
    assert (await world.error("list_users", "iam"))[1] == "InvalidAction"


async def test_logs_are_read(world):
    groups = await world.call("describe_log_groups", "logs")
    assert [each["logGroupName"] for each in groups["logGroups"]] == [GROUP]
    group = {"logGroupName": GROUP}
    newest = {"orderBy": "LastEventTime", "descending": True}
    streams = (await world.call("describe_log_streams", "logs", **group, **newest))["logStreams"]
    assert [each["logStreamName"][-1] for each in streams] == ["b", "a"]
    asked = {**group, "logStreamName": "2026/12/04/[$LATEST]a", "limit": 8}
    page = await world.call("get_log_events", "logs", **asked, startFromHead=True)
    seen = [each["message"] for each in page["events"]]
    while True:
        following = await world.call("get_log_events", "logs", **asked, nextToken=page["nextForwardToken"])
        if following["nextForwardToken"] == page["nextForwardToken"]:
            break
        page = following
        seen += [each["message"] for each in page["events"]]
    assert [text.split()[1] for text in seen] == [str(number) for number in range(20)]
    last = await world.call("get_log_events", "logs", **asked)
    assert [each["message"].split()[1] for each in last["events"]] == [str(number) for number in range(12, 20)]


async def test_logs_are_filtered(world):
    async def lines(**fields):
        found = await world.call("filter_log_events", "logs", logGroupName=GROUP, **fields)
        return [int(each["message"].split()[1]) for each in found["events"]]

    assert await lines(filterPattern="ERROR") == [0, 5, 10, 15, 20]
    assert await lines(filterPattern='ERROR -"line 10"') == [0, 5, 15, 20]
    assert await lines(startTime=1_800_000_020_000, endTime=1_800_000_022_000) == [20, 21]
    assert await lines(logStreamNames=["2026/12/04/[$LATEST]b"]) == [20, 21, 22, 23, 24]
    assert await lines(logStreamNamePrefix="2026/12/03") == []
    client = world.boto("logs")

    def paged():
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 7})
        return [len(page["events"]) for page in pages]

    assert await asyncio.to_thread(paged) == [7, 7, 7, 4]
    for fields, name in (
        ({"logGroupName": "/none"}, "ResourceNotFoundException"),
        ({"logGroupName": GROUP, "filterPattern": "{ $.a = 1 }"}, "InvalidParameterException"),
        ({"logGroupName": GROUP, "nextToken": "x"}, "InvalidParameterException"),
    ):
        assert (await world.error("filter_log_events", "logs", **fields))[:2] == (400, name)
    missing = {"logGroupName": GROUP, "logStreamName": "none"}
    assert (await world.error("get_log_events", "logs", **missing))[:2] == (400, "ResourceNotFoundException")
    assert (await world.error("create_log_group", "logs", logGroupName="a"))[1] == "UnknownOperationException"
