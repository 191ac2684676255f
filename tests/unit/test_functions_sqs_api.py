"""The pure parts of SQS's API: attributes of queues and messages, sums, sizes, pages, batches, errors."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.errors import ServiceFault
from grandstand.functions.queues.ports import Counts, DeadLetters, Queue, QueueSettings
from grandstand.functions.sqs_api import attributes, batches, digests, faults, messages
from grandstand.functions.sqs_api.asked import Message, MessageAttribute, SendEntry, read
from grandstand.functions.sqs_api.names import Home
from grandstand.functions.sqs_api.operations import OPERATIONS, REFUSED
from grandstand.functions.sqs_api.pages import page

HOME = Home()
DEFAULTS = QueueSettings()
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"


def policy(**fields):
    return json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 3} | fields)


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        ({}, {}),
        ({"VisibilityTimeout": "0", "DelaySeconds": "900"}, {"visibility_seconds": 0, "delay_seconds": 900}),
        ({"MessageRetentionPeriod": "60"}, {"retention_seconds": 60}),
        ({"ReceiveMessageWaitTimeSeconds": "20"}, {"wait_seconds": 20}),
        ({"MaximumMessageSize": "1048576"}, {"most_message_bytes": 1_048_576}),
        ({"RedrivePolicy": policy()}, {"dead_letters": DeadLetters("dead", 3)}),
        ({"RedrivePolicy": policy(maxReceiveCount="1000")}, {"dead_letters": DeadLetters("dead", 1000)}),
        ({"RedrivePolicy": ""}, {"dead_letters": None}),
        ({"Policy": "", "KmsMasterKeyId": "", "SqsManagedSseEnabled": "false", "FifoQueue": "false"}, {}),
    ],
)
def test_attributes_of_queues(given, changes):
    assert attributes.settings_with(DEFAULTS, given, HOME) == replace(DEFAULTS, **changes)


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("VisibilityTimeout", "43201", "InvalidAttributeValue", "VisibilityTimeout"),
        ("VisibilityTimeout", "-1", "InvalidAttributeValue", ""),
        ("VisibilityTimeout", "²", "InvalidAttributeValue", ""),
        ("VisibilityTimeout", "9" * 5000, "InvalidAttributeValue", ""),
        ("MessageRetentionPeriod", "59", "InvalidAttributeValue", ""),
        ("MaximumMessageSize", "1023", "InvalidAttributeValue", ""),
        ("FifoQueue", "true", "InvalidAttributeName", "leave it out"),
        ("Policy", "{}", "InvalidAttributeName", "access key"),
        ("SqsManagedSseEnabled", "true", "InvalidAttributeName", "disk"),
        ("QueueArn", "x", "InvalidAttributeName", "Unknown Attribute QueueArn."),
        ("RedrivePolicy", "[]", "InvalidParameterValueException", "not a valid JSON map"),
        ("RedrivePolicy", "{}", "InvalidParameterValueException", "mandatory attribute: deadLetterTargetArn"),
        ("RedrivePolicy", policy(maxReceiveCount=None), "InvalidParameterValueException", "maxReceiveCount"),
        ("RedrivePolicy", policy(maxReceiveCount=0), "InvalidParameterValueException", "from 1 to 1000"),
        ("RedrivePolicy", policy(maxReceiveCount=True), "InvalidParameterValueException", "from 1 to 1000"),
        ("RedrivePolicy", policy(maxReceiveCount="0000000019999"), "InvalidParameterValueException", "from 1 to 1000"),
        ("RedrivePolicy", policy(other=1), "InvalidParameterValueException", "unknown attributes: other"),
        ("RedrivePolicy", policy(deadLetterTargetArn=f"{DEAD}/x"), "InvalidParameterValueException", "a queue here"),
        ("RedrivePolicy", policy(deadLetterTargetArn=7), "InvalidParameterValueException", "a queue here"),
    ],
)
def test_attributes_of_queues_that_are_refused(name, value, code, said):
    with pytest.raises(ServiceFault) as refused:
        attributes.settings_with(DEFAULTS, {name: value}, HOME)
    assert refused.value.error == code
    assert said in refused.value.message


SETTINGS = st.builds(
    QueueSettings,
    st.integers(0, 43_200),
    st.integers(0, 900),
    st.integers(60, 1_209_600),
    st.integers(0, 20),
    st.integers(1_024, 1_048_576),
    st.none() | st.builds(DeadLetters, st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True), st.integers(1, 1000)),
)


@given(SETTINGS)
def test_what_is_shown_of_a_queue_makes_the_same_queue(settings):
    shown = attributes.shown(Queue("a", settings, {}, 1.5, 2.5), Counts(1, 2, 3), ["All"], HOME)
    assert (shown["CreatedTimestamp"], shown["LastModifiedTimestamp"]) == ("1", "2")
    assert shown["ApproximateNumberOfMessagesNotVisible"] == "2"
    writable = {name: shown[name] for name in (*attributes.NUMBERS, attributes.REDRIVE) if name in shown}
    assert attributes.settings_with(DEFAULTS, writable, HOME) == settings
    assert attributes.differing(settings, writable, HOME) is None


@pytest.mark.parametrize(
    ("name", "number", "md5"),
    [
        ("timestamp", "1493147359900", "235c5c510d26fb653d073faed50ae77c"),
        ("timestamp", "1493147359901", "994258b45346a2cc3f9cbb611aa7af30"),
        ("SOME_Valid.attribute-Name", "1493147359900", "36655e7e9d7c0e8479fa3f3f42247ae7"),
    ],
)
def test_sums_of_attributes(name, number, md5):
    """As the tests of moto have them."""
    assert digests.of_attributes({name: {"DataType": "Number", "StringValue": number}}) == md5


def test_sums_tell_types_apart_and_do_not_depend_on_the_order():
    number = {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}}
    binary = {"timestamp": {"DataType": "Binary", "BinaryValue": "MTQ5MzE0NzM1OTkwMA=="}}
    assert digests.of_attributes(binary) != digests.of_attributes(number)
    both = {"b": number["timestamp"], "a": binary["timestamp"]}
    assert digests.of_attributes(both) == digests.of_attributes(dict(reversed(both.items())))


def text(value="x", kind="String"):
    return MessageAttribute(data_type=kind, string_value=value)


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("a", text(), {"DataType": "String", "StringValue": "x"}),
        ("a.b-c_1", text("-1.5e3", "Number.int"), {"DataType": "Number.int", "StringValue": "-1.5e3"}),
        (
            "a",
            MessageAttribute(data_type="Binary.png", binary_value=b"\0"),
            {"DataType": "Binary.png", "BinaryValue": "AA=="},
        ),
    ],
)
def test_attributes_of_messages(name, value, stored):
    message = messages.outgoing(Message(message_body="x", message_attributes={name: value}), 1000, HOME)
    assert message.attributes == {"SenderId": HOME.account, "MessageAttributes": {name: stored}}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (".a", text(), "Invalid message attribute name"),
        ("a.", text(), "Invalid message attribute name"),
        ("a..b", text(), "Invalid message attribute name"),
        ("AWS.a", text(), "Invalid message attribute name"),
        ("amazon.a", text(), "Invalid message attribute name"),
        ("a" * 257, text(), "Invalid message attribute name"),
        ("a", text(kind=None), "non-empty message attribute type"),
        ("a", text(kind="Text"), "supported type prefixes"),
        ("a", text(kind="String."), "supported type prefixes"),
        ("a", text(""), "non-empty message attribute value"),
        ("a", text("\0"), "Invalid characters"),
        ("a", text("x", "Number"), "to a number"),
        ("a", text("x", "Binary"), "non-empty message attribute value"),
        ("a", MessageAttribute(data_type="String", string_list_values=["x"]), "list values"),
    ],
)
def test_attributes_of_messages_that_are_refused(name, value, said):
    with pytest.raises(ServiceFault, match=said):
        messages.outgoing(Message(message_body="x", message_attributes={name: value}), 1000, HOME)


def test_messages_have_ten_attributes_at_most():
    eleven = {str(number): text() for number in range(11)}
    with pytest.raises(ServiceFault, match=r"\[11\] exceeds the allowed maximum \[10\]"):
        messages.outgoing(Message(message_body="x", message_attributes=eleven), 1000, HOME)


@pytest.mark.parametrize("body", ["\0", "\x1f", "\ufffe", "a\uffff"])
def test_characters_that_are_refused(body):
    with pytest.raises(ServiceFault) as refused:
        messages.outgoing(Message(message_body=body), 1000, HOME)
    assert refused.value.error == "InvalidMessageContents"


@pytest.mark.parametrize("body", ["\t\n\r", "ä", "\U0001f600", "\ufffd"])
def test_characters_that_are_sent(body):
    assert messages.outgoing(Message(message_body=body), 1000, HOME).body == body


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (Message(message_body="ä"), 2),
        (Message(message_body="x", message_attributes={"ab": text("xyz")}), 1 + 2 + 6 + 3),
        (
            Message(
                message_body="x",
                message_attributes={"a": MessageAttribute(data_type="Binary", binary_value=b"\0\0")},
            ),
            1 + 1 + 6 + 2,
        ),
    ],
)
def test_sizes_count_attributes(message, size):
    assert messages.size_of(message) == size
    messages.outgoing(message, size, HOME)
    with pytest.raises(ServiceFault, match=f"shorter than {size - 1} bytes"):
        messages.outgoing(message, size - 1, HOME)


@given(st.sets(st.text("abc", min_size=1, max_size=3)), st.integers(1, 5))
def test_pages_give_everything_once_and_in_order(names, size):
    seen: list[str] = []
    token = None
    while True:
        shown, token = page(list(names), token, size)
        assert len(shown) <= size
        seen += shown
        if not token:
            break
    assert seen == sorted(names)


def test_batches_keep_good_and_bad_apart():
    found = batches.entries([SendEntry(id="a"), SendEntry(id="b", message_body="x")], "Entry")
    good, bad = batches.sorted_out(found, lambda entry: messages.outgoing(entry, 1000, HOME).body)
    assert good == {"b": "x"}
    assert batches.answer({name: {} for name in good}, bad) == {
        "Successful": [{"Id": "b"}],
        "Failed": [
            {
                "Id": "a",
                "SenderFault": True,
                "Code": "MissingParameter",
                "Message": "The request must contain the parameter MessageBody.",
            }
        ],
    }


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (
            faults.no_queue(),
            "com.amazonaws.sqs#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
        ),
        (
            faults.invalid("x"),
            "com.amazon.coral.service#InvalidParameterValueException",
            "InvalidParameterValue;Sender",
        ),
        (
            ServiceFault("ServiceException", "x", 503),
            "com.amazon.coral.service#ServiceException",
            "ServiceException;Receiver",
        ),
    ],
)
def test_errors_as_they_are_written(fault, kind, code):
    body, headers = faults.written(fault)
    assert msgspec.json.decode(body) == {"__type": kind, "message": fault.message}
    assert headers == {"Content-Type": "application/x-amz-json-1.0", "x-amzn-query-error": code}


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"MessageBody":1}', b'{"Other":"x"}', b'{"MessageBody":"\\ud800"}', b'{"MessageBody":"\xff"}'],
)
def test_requests_that_cannot_be_read(body):
    with pytest.raises(ServiceFault) as refused:
        read(body, Message)
    assert refused.value.error == "SerializationException"


def rows(heading, ending):
    """Name -> what stands beside it in the reference."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "sqs-api.md").read_text()
    part = page.split(heading, 1)[1].split(ending, 1)[0]
    found = re.findall(r"^\| ([A-Z][A-Za-z, ]+) \| ?(.*?) ?\|$", part, re.MULTILINE)
    return {name: text for names, text in found for name in names.split(", ")}


def test_the_reference_names_every_operation_and_attribute():
    assert rows("## Operations", "Refused, with").keys() == OPERATIONS.keys()
    assert rows("Refused, with `Unsupported", "## Attributes") == REFUSED
    assert rows("## Attributes", "QueueArn,").keys() == {*attributes.NUMBERS, attributes.REDRIVE}
    assert rows("Refused with `InvalidAttributeName`", "## Of messages").keys() == attributes.MEANINGLESS.keys()
