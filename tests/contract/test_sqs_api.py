"""boto3 against SQS's API on Lambda's port, over queues in memory and in a file."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from lambda_api_world import running

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.functions.queues.ports import QueueSettings
from grandstand.functions.queues.queues import DurableQueues

SQS = "sqs"
ARN = "arn:aws:sqs:us-east-1:000000000000:"
NO_QUEUE = (400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
UNSUPPORTED = "AWS.SimpleQueueService.UnsupportedOperation"
INVALID = "InvalidParameterValue"
TEXT = {"DataType": "String", "StringValue": "text"}
BYTES = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}


@pytest.fixture(params=["fake", "durable"])
async def world(request, tmp_path):
    if request.param == "fake":
        async with running(FakeClient(), tmp_path, ready=False) as world:
            yield world
        return
    queues = DurableQueues(tmp_path / "queues.db", SystemClock())
    await queues.open()
    async with running(FakeClient(), tmp_path, ready=False, queues=queues) as world:
        yield world
    await queues.close()


@pytest.fixture
async def unsigned(tmp_path):
    """A port that asks for no signatures, with an empty queue that is called jobs."""
    async with running(FakeClient(), tmp_path, required=False, ready=False) as world:
        await world.queues.create("jobs", QueueSettings())
        yield world


@pytest.fixture
async def url(world):
    """Of an empty queue that is called jobs."""
    return (await world.call("create_queue", SQS, QueueName="jobs"))["QueueUrl"]


async def attributes(world, url, *names):
    found = await world.call("get_queue_attributes", SQS, QueueUrl=url, AttributeNames=list(names or ["All"]))
    return found.get("Attributes", {})


async def received(world, url, **fields):
    found = await world.call("receive_message", SQS, QueueUrl=url, **{"MaxNumberOfMessages": 10, **fields})
    return found.get("Messages", [])


async def test_a_queue_is_made_and_found(world, url):
    assert url == f"{world.address}/000000000000/jobs"
    assert (await world.call("get_queue_url", SQS, QueueName="jobs"))["QueueUrl"] == url
    assert (await world.call("list_queues", SQS))["QueueUrls"] == [url]
    shown = await attributes(world, url)
    assert shown.pop("CreatedTimestamp") == shown.pop("LastModifiedTimestamp")
    assert shown == {
        "QueueArn": f"{ARN}jobs",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "VisibilityTimeout": "30",
        "DelaySeconds": "0",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "MaximumMessageSize": "1048576",
        "SqsManagedSseEnabled": "false",
    }
    assert await attributes(world, url, "QueueArn") == {"QueueArn": f"{ARN}jobs"}


async def test_making_a_queue_again(world):
    made = {"QueueName": "jobs", "Attributes": {"VisibilityTimeout": "5", "DelaySeconds": "1"}}
    url = (await world.call("create_queue", SQS, **made))["QueueUrl"]
    assert (await world.call("create_queue", SQS, **made))["QueueUrl"] == url
    assert (await world.call("create_queue", SQS, QueueName="jobs"))["QueueUrl"] == url
    assert await world.error("create_queue", SQS, QueueName="jobs", Attributes={"VisibilityTimeout": "6"}) == (
        400,
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
    )
    assert (await attributes(world, url))["VisibilityTimeout"] == "5"


async def test_errors_are_classes_of_the_client(world):
    with pytest.raises(world.boto(SQS).exceptions.QueueDoesNotExist):
        await world.call("get_queue_url", SQS, QueueName="gone")


async def test_attributes_are_changed_one_by_one(world, url):
    for name, value in (("VisibilityTimeout", "7"), ("DelaySeconds", "3"), ("ReceiveMessageWaitTimeSeconds", "1")):
        await world.call("set_queue_attributes", SQS, QueueUrl=url, Attributes={name: value})
    found = await attributes(world, url, "VisibilityTimeout", "DelaySeconds", "ReceiveMessageWaitTimeSeconds")
    assert found == {"VisibilityTimeout": "7", "DelaySeconds": "3", "ReceiveMessageWaitTimeSeconds": "1"}


async def test_many_changes_at_once_are_all_kept(world, url):
    await asyncio.gather(*(world.call("tag_queue", SQS, QueueUrl=url, Tags={f"k{n}": str(n)}) for n in range(8)))
    assert (await world.call("list_queue_tags", SQS, QueueUrl=url))["Tags"] == {f"k{n}": str(n) for n in range(8)}


async def test_tags(world):
    url = (await world.call("create_queue", SQS, QueueName="t", tags={"a": "1"}))["QueueUrl"]
    await world.call("tag_queue", SQS, QueueUrl=url, Tags={"a": "2", "b": "3"})
    assert (await world.call("list_queue_tags", SQS, QueueUrl=url))["Tags"] == {"a": "2", "b": "3"}
    await world.call("untag_queue", SQS, QueueUrl=url, TagKeys=["a", "b"])
    assert "Tags" not in await world.call("list_queue_tags", SQS, QueueUrl=url)
    status, code, _ = await world.error("tag_queue", SQS, QueueUrl=url, Tags={str(n): "" for n in range(51)})
    assert (status, code) == (400, INVALID)


async def test_lists_in_pages_and_by_prefix(world):
    for name in ("b", "a", "ab", "c"):
        await world.call("create_queue", SQS, QueueName=name)
    found = await world.call("list_queues", SQS, QueueNamePrefix="a")
    assert [url.rpartition("/")[2] for url in found["QueueUrls"]] == ["a", "ab"]
    assert "QueueUrls" not in await world.call("list_queues", SQS, QueueNamePrefix="x")
    paged = await world.pages("list_queues", "QueueUrls", service=SQS)
    assert [url.rpartition("/")[2] for url in paged] == ["a", "ab", "b", "c"]


async def test_queues_of_the_platform_are_neither_shown_nor_reached(world, url):
    await world.queues.create("events/hello", QueueSettings())
    assert (await world.call("list_queues", SQS))["QueueUrls"] == [url]
    assert await world.error("get_queue_url", SQS, QueueName="events/hello") == NO_QUEUE
    for name in ("events/hello", "events%2Fhello"):
        hidden = f"{world.address}/000000000000/{name}"
        for operation, more in (
            ("get_queue_attributes", {}),
            ("send_message", {"MessageBody": "x"}),
            ("receive_message", {}),
            ("purge_queue", {}),
            ("delete_queue", {}),
        ):
            assert await world.error(operation, SQS, QueueUrl=hidden, **more) == NO_QUEUE
    policy = json.dumps({"deadLetterTargetArn": f"{ARN}events/hello", "maxReceiveCount": 1})
    changes = {"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}}
    assert (await world.error("set_queue_attributes", SQS, **changes))[1] == INVALID
    assert list(await world.queues.names("events/")) == ["events/hello"]


async def test_a_deleted_queue_is_gone(world, url):
    await world.call("delete_queue", SQS, QueueUrl=url)
    for operation, more in (
        ("delete_queue", {}),
        ("get_queue_attributes", {}),
        ("set_queue_attributes", {"Attributes": {"DelaySeconds": "1"}}),
        ("send_message", {"MessageBody": "x"}),
        ("receive_message", {}),
        ("purge_queue", {}),
        ("list_queue_tags", {}),
        ("list_dead_letter_source_queues", {}),
        ("delete_message", {"ReceiptHandle": "r"}),
    ):
        assert await world.error(operation, SQS, QueueUrl=url, **more) == NO_QUEUE


async def test_a_message_goes_round(world, url):
    sent = await world.call(
        "send_message", SQS, QueueUrl=url, MessageBody="grüße", MessageAttributes={"a.b": TEXT, "c": BYTES}
    )
    (plain,) = await received(world, url, VisibilityTimeout=0)
    assert plain.keys() == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    (message,) = await received(world, url, AttributeNames=["All"], MessageAttributeNames=["All"])
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "grüße")
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"] == {"a.b": TEXT, "c": BYTES}
    assert message["Attributes"].keys() == {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
    }
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"
    assert (await attributes(world, url))["ApproximateNumberOfMessagesNotVisible"] == "1"
    for _ in range(2):
        await world.call("delete_message", SQS, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert (await attributes(world, url))["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["All"], {"a.b", "c"}),
        ([".*"], {"a.b", "c"}),
        (["a.*"], {"a.b"}),
        (["a.b", "x"], {"a.b"}),
        (["x"], None),
        (["a"], None),
    ],
)
async def test_which_attributes_are_given(world, url, asked, names):
    message = {"MessageBody": "x", "MessageAttributes": {"a.b": TEXT, "c": BYTES}}
    await world.call("send_message", SQS, QueueUrl=url, **message)
    (message,) = await received(world, url, MessageAttributeNames=asked, MessageSystemAttributeNames=["SenderId"])
    assert message["Attributes"] == {"SenderId": "000000000000"}
    assert (message.get("MessageAttributes") or {}).keys() == (names or set())


async def test_who_waits_is_answered_when_a_message_comes(unsigned):
    url = _url(unsigned)
    waiting = asyncio.create_task(received(unsigned, url, WaitTimeSeconds=20))
    await asyncio.wait_for(unsigned.queues.waited_for("jobs"), 15)
    await unsigned.call("send_message", SQS, QueueUrl=url, MessageBody="x")
    assert [message["Body"] for message in await asyncio.wait_for(waiting, 15)] == ["x"]


async def test_batches(world, url):
    entries = [
        {"Id": "good", "MessageBody": "x", "MessageAttributes": {"a": TEXT}},
        {"Id": "empty", "MessageBody": ""},
        {"Id": "late", "MessageBody": "y", "DelaySeconds": 901},
        {"Id": "also", "MessageBody": "z"},
    ]
    found = await world.call("send_message_batch", SQS, QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in found["Successful"]] == ["good", "also"]
    assert [(each["Id"], each["Code"], each["SenderFault"]) for each in found["Failed"]] == [
        ("empty", "MissingParameter", True),
        ("late", INVALID, True),
    ]
    messages = await received(world, url)
    assert [message["Body"] for message in messages] == ["x", "z"]
    entries = [
        {"Id": "0", "ReceiptHandle": messages[0]["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "1", "ReceiptHandle": "none", "VisibilityTimeout": 0},
        {"Id": "2", "ReceiptHandle": messages[1]["ReceiptHandle"], "VisibilityTimeout": 43_201},
    ]
    found = await world.call("change_message_visibility_batch", SQS, QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in found["Successful"]] == ["0"]
    assert sorted(each["Id"] for each in found["Failed"]) == ["1", "2"]
    (again,) = await received(world, url)
    entries = [
        {"Id": "0", "ReceiptHandle": again["ReceiptHandle"]},
        {"Id": "1", "ReceiptHandle": messages[1]["ReceiptHandle"]},
    ]
    found = await world.call("delete_message_batch", SQS, QueueUrl=url, Entries=entries)
    assert ([each["Id"] for each in found["Successful"]], "Failed" in found) == (["0", "1"], False)
    assert (await attributes(world, url))["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(n), "MessageBody": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)], "BatchRequestTooLong"),
    ],
)
async def test_batches_that_are_refused_as_a_whole(world, url, entries, code):
    status, found, _ = await world.error("send_message_batch", SQS, QueueUrl=url, Entries=entries)
    assert (status, found) == (400, f"AWS.SimpleQueueService.{code}")
    assert await received(world, url) == []


async def test_showing_a_message_again(world, url):
    await world.call("send_message", SQS, QueueUrl=url, MessageBody="x")
    (message,) = await received(world, url)
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    await world.call("change_message_visibility", SQS, **change, VisibilityTimeout=0)
    assert len(await received(world, url)) == 1
    status, code, said = await world.error("change_message_visibility", SQS, **change, VisibilityTimeout=1)
    assert (status, code) == (400, INVALID)
    assert said.endswith("Message does not exist or is not available for visibility timeout change.")


async def test_purging(world, url):
    await world.call("send_message", SQS, QueueUrl=url, MessageBody="x")
    await world.call("purge_queue", SQS, QueueUrl=url)
    assert await received(world, url) == []


async def test_dead_letters(world, url):
    policy = json.dumps({"deadLetterTargetArn": f"{ARN}dead", "maxReceiveCount": "1"})
    change = {"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}}
    _, code, said = await world.error("set_queue_attributes", SQS, **change)
    assert (code, said.endswith("Reason: Dead letter target does not exist.")) == (INVALID, True)
    dead = (await world.call("create_queue", SQS, QueueName="dead"))["QueueUrl"]
    await world.call("set_queue_attributes", SQS, **change)
    assert json.loads((await attributes(world, url, "RedrivePolicy"))["RedrivePolicy"]) == {
        "deadLetterTargetArn": f"{ARN}dead",
        "maxReceiveCount": 1,
    }
    assert (await world.call("list_dead_letter_source_queues", SQS, QueueUrl=dead))["queueUrls"] == [url]
    assert (await world.call("list_dead_letter_source_queues", SQS, QueueUrl=url))["queueUrls"] == []
    sent = await world.call("send_message", SQS, QueueUrl=url, MessageBody="x")
    assert len(await received(world, url, VisibilityTimeout=0)) == 1
    assert await received(world, url) == []
    (message,) = await received(world, dead, AttributeNames=["DeadLetterQueueSourceArn"])
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"] == {"DeadLetterQueueSourceArn": f"{ARN}jobs"}
    await world.call("set_queue_attributes", SQS, QueueUrl=url, Attributes={"RedrivePolicy": ""})
    assert await attributes(world, url, "RedrivePolicy") == {}


@pytest.mark.parametrize(
    ("operation", "fields", "code", "said"),
    [
        ("create_queue", {"QueueName": "a.fifo"}, UNSUPPORTED, "FIFO"),
        ("create_queue", {"QueueName": "a b"}, INVALID, "alphanumeric"),
        ("create_queue", {"QueueName": "a" * 81}, INVALID, "80"),
        ("create_queue", {}, "MissingParameter", "QueueName"),
        ("create_queue", {"QueueName": "a", "Attributes": {"FifoQueue": "true"}}, "InvalidAttributeName", "FifoQueue"),
        ("create_queue", {"QueueName": "a", "Attributes": {"Other": "1"}}, "InvalidAttributeName", "Other"),
        ("add_permission", {"Label": "a", "AWSAccountIds": [], "Actions": []}, UNSUPPORTED, "access key"),
        ("start_message_move_task", {"SourceArn": f"{ARN}jobs"}, UNSUPPORTED, "send them again"),
        ("get_queue_url", {"QueueName": "jobs", "QueueOwnerAWSAccountId": "123456789012"}, NO_QUEUE[1], ""),
        ("list_queues", {"MaxResults": 1001}, INVALID, "MaxResults"),
        ("list_queues", {"NextToken": "ä"}, INVALID, "NextToken"),
        ("send_message", {"MessageBody": "x"}, "MissingParameter", "QueueUrl"),
    ],
)
async def test_what_is_refused(world, url, operation, fields, code, said):
    status, found, message = await world.error(operation, SQS, **fields)
    assert (status, found) == (400, code)
    assert said in message


@pytest.mark.parametrize(
    ("operation", "fields", "code"),
    [
        ("SendMessage", {}, "MissingParameter"),
        ("SendMessage", {"MessageBody": "x", "MessageGroupId": "g"}, INVALID),
        ("SendMessage", {"MessageBody": 7}, "SerializationException"),
        ("SendMessage", {"MessageBody": "x", "Unknown": 1}, "SerializationException"),
        ("SendMessage", {"MessageBody": "x" * 1_048_577}, INVALID),
        ("ReceiveMessage", {"MaxNumberOfMessages": 11}, INVALID),
        ("ReceiveMessage", {"MaxNumberOfMessages": 0}, INVALID),
        ("ReceiveMessage", {"VisibilityTimeout": 43_201}, INVALID),
        ("ReceiveMessage", {"WaitTimeSeconds": 21}, INVALID),
        ("ReceiveMessage", {"ReceiveRequestAttemptId": "a"}, INVALID),
        ("ReceiveMessage", {"AttributeNames": ["Other"]}, "InvalidAttributeName"),
        ("GetQueueAttributes", {"AttributeNames": ["Other"]}, "InvalidAttributeName"),
        ("SetQueueAttributes", {}, "MissingParameter"),
        ("SetQueueAttributes", {"Attributes": {"QueueArn": "x"}}, "InvalidAttributeName"),
        ("SetQueueAttributes", {"Attributes": {"KmsMasterKeyId": "k"}}, "InvalidAttributeName"),
        ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "901"}}, "InvalidAttributeValue"),
        ("DeleteMessage", {}, "MissingParameter"),
        ("ChangeMessageVisibility", {"ReceiptHandle": "r"}, "MissingParameter"),
        ("TagQueue", {}, "MissingParameter"),
        ("UntagQueue", {}, "MissingParameter"),
    ],
)
async def test_what_is_refused_of_a_queue(unsigned, operation, fields, code):
    """Without boto3, which leaves out what it does not know."""
    status, answer, headers = await _posted(unsigned, operation, {"QueueUrl": _url(unsigned), **fields})
    assert (status, headers["x-amzn-query-error"]) == (400, f"{code};Sender")
    assert answer["__type"].partition("#")[0] in ("com.amazonaws.sqs", "com.amazon.coral.service")
    assert answer["message"]


def _url(world):
    return f"{world.address}/000000000000/jobs"


async def _posted(world, operation, fields):
    headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(world.address, data=json.dumps(fields), headers=headers) as response,
    ):
        return response.status, await response.json(content_type="application/x-amz-json-1.0"), response.headers


async def test_errors_on_the_wire(unsigned):
    await unsigned.queues.delete("jobs")
    status, answer, headers = await _posted(unsigned, "PurgeQueue", {"QueueUrl": _url(unsigned)})
    assert (status, answer) == (
        400,
        {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The specified queue does not exist."},
    )
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["x-amzn-RequestId"]
    status, answer, _ = await _posted(unsigned, "Fly", {})
    assert (status, answer["__type"]) == (400, "com.amazon.coral.service#UnknownOperationException")
    form = {"Action": "ListQueues", "Version": "2012-11-05"}
    async with aiohttp.ClientSession() as session, session.post(unsigned.address, data=form) as response:
        assert (response.status, "older query protocol" in await response.text()) == (400, True)


async def test_strangers_are_not_let_in(world, url):
    arguments = {"QueueUrl": url, "MessageBody": "x"}
    with pytest.raises(world.boto(SQS, secret="wrong").exceptions.ClientError) as refused:
        await asyncio.to_thread(world.boto(SQS, secret="wrong").send_message, **arguments)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert await received(world, url) == []


async def test_what_comes_for_somebody_who_has_gone_is_shown_to_others(unsigned):
    url = _url(unsigned)
    polling = asyncio.create_task(_posted(unsigned, "ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20}))
    await asyncio.wait_for(unsigned.queues.waited_for("jobs"), 15)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    await _posted(unsigned, "SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    _, found, _ = await _posted(unsigned, "ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 5})
    assert [message["Body"] for message in found["Messages"]] == ["x"]
