"""Show a received message as a record of the event that AWS Lambda gives to functions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grandstand.functions.queues.ports import Received
from grandstand.kinds import Object

from .digests import of_body
from .names import Home, is_shown, queue_arn

EVENT_SOURCE = "aws:sqs"


def event_of(messages: Sequence[Received], queue: str, home: Home) -> Object:
    """The event of a batch that was received from a queue, which is given by its name."""
    return {"Records": [record_of(message, queue, home) for message in messages]}


def record_of(message: Received, queue: str, home: Home) -> Object:
    """One record of the event; `queue` is the name of the queue that the message was received from."""
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": system_attributes(message, home),
        "messageAttributes": {
            name: _message_attribute(value) for name, value in sorted(message_attributes(message).items())
        },
        "md5OfBody": of_body(message.body),
        "eventSource": EVENT_SOURCE,
        "eventSourceARN": queue_arn(home, queue),
        "awsRegion": home.region,
    }


def system_attributes(message: Received, home: Home) -> dict[str, str]:
    """What SQS itself says of a message: numbers as text, times in milliseconds since the epoch."""
    shown = {
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(message.sent_ms),
        "SenderId": str(message.attributes.get("SenderId") or home.account),
        "ApproximateFirstReceiveTimestamp": str(message.first_received_ms),
    }
    if is_shown(message.dead_letter_source):
        shown["DeadLetterQueueSourceArn"] = queue_arn(home, message.dead_letter_source)
    return shown


def message_attributes(message: Received) -> Mapping[str, Mapping[str, Any]]:
    """What the sender said beside the body, in SQS's words; BinaryValue in base64."""
    found: Mapping[str, Mapping[str, Any]] = message.attributes.get("MessageAttributes") or {}
    return found


def _message_attribute(value: Mapping[str, Any]) -> Object:
    """Lists are always empty: SQS has names for them, and takes none."""
    shown: Object = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if value.get("StringValue") is not None:
        shown["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        shown["binaryValue"] = value["BinaryValue"]
    return shown
