"""Messages as Lambda's events show them, and names of queues."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.functions.queues.ports import Received
from grandstand.functions.sqs_api.names import Home, is_shown, name_in_arn, name_in_url, queue_arn, queue_url
from grandstand.functions.sqs_api.records import event_of, record_of

HOME = Home("eu-west-1", "123456789012")
PLAIN = Received("m-1", "r-1", "Hello", {}, 1_523_232_000_000, 1_523_232_000_001, 1)
SHOWN = {
    "messageId": "m-1",
    "receiptHandle": "r-1",
    "body": "Hello",
    "attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1523232000000",
        "SenderId": "123456789012",
        "ApproximateFirstReceiveTimestamp": "1523232000001",
    },
    "messageAttributes": {},
    "md5OfBody": "8b1a9953c4611296a827abf8c47804d7",
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "awsRegion": "eu-west-1",
}


def attribute(**value):
    return {"stringListValues": [], "binaryListValues": [], **value}


@pytest.mark.parametrize(
    ("changes", "field", "shown"),
    [
        ({"receives": 7}, "attributes", SHOWN["attributes"] | {"ApproximateReceiveCount": "7"}),
        ({"attributes": {"SenderId": "AKIA"}}, "attributes", SHOWN["attributes"] | {"SenderId": "AKIA"}),
        (
            {"dead_letter_source": "jobs"},
            "attributes",
            SHOWN["attributes"] | {"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:123456789012:jobs"},
        ),
        ({"dead_letter_source": "events/f"}, "attributes", SHOWN["attributes"]),
        ({"body": "grüße"}, "md5OfBody", "fee40dc24d0ad6a90c608052aa4e9e66"),
        (
            {"attributes": {"MessageAttributes": {"n": {"DataType": "Number", "StringValue": "1"}}}},
            "messageAttributes",
            {"n": attribute(dataType="Number", stringValue="1")},
        ),
        (
            {"attributes": {"MessageAttributes": {"b": {"DataType": "Binary.png", "BinaryValue": "AAE="}}}},
            "messageAttributes",
            {"b": attribute(dataType="Binary.png", binaryValue="AAE=")},
        ),
    ],
    ids=["seventh time", "sender", "given up by a queue", "given up by the platform", "utf-8", "text", "binary"],
)
def test_records(changes, field, shown):
    assert record_of(replace(PLAIN, **changes), "orders", HOME) == SHOWN | {
        "body": changes.get("body", "Hello"),
        field: shown,
    }


def test_an_event_has_all_messages_in_their_order():
    assert event_of([PLAIN, replace(PLAIN, id="m-2")], "orders", HOME) == {
        "Records": [SHOWN, SHOWN | {"messageId": "m-2"}]
    }


@given(st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True), st.sampled_from(["localhost:1", "127.0.0.1", "a.b:80"]))
def test_arns_and_urls_name_what_they_were_made_of(name, host):
    assert name_in_arn(HOME, queue_arn(HOME, name)) == name
    assert name_in_url(HOME, queue_url(HOME, host, name)) == name


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a.fifo", "ä", "a" * 81, "a\n"])
def test_what_names_no_queue(name):
    assert not is_shown(name)
    assert name_in_arn(HOME, queue_arn(HOME, name)) is None
    assert name_in_url(HOME, queue_url(HOME, "localhost", name)) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:a", "a"),
        ("arn:aws:sqs:us-east-1:123456789012:a", None),
        ("arn:aws:sns:eu-west-1:123456789012:a", None),
        ("a", None),
    ],
)
def test_arns_of_others_name_nothing(text, name):
    assert name_in_arn(HOME, text) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://localhost:80/123456789012/a", "a"),
        ("http://localhost/123456789012/a/", "a"),
        ("/123456789012/a", "a"),
        ("http://localhost/1/a", None),
        ("http://localhost/123456789012/x/a", None),
        ("a", None),
    ],
)
def test_urls(url, name):
    assert name_in_url(HOME, url) == name
