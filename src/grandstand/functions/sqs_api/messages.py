"""Check messages that are sent to SQS's API, and show those that are received. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grandstand.errors import ServiceFault
from grandstand.functions.queues.ports import Outgoing, Received
from grandstand.kinds import Object

from . import digests
from .asked import Message, MessageAttribute
from .faults import invalid, invalid_value, missing, unsupported
from .names import Home
from .records import message_attributes, system_attributes

MOST_ATTRIBUTES = 10
MOST_DELAY_SECONDS = 900
SYSTEM_NAMES = frozenset(
    (
        *("All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"),
        *("SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"),
    )
)
_NAME = re.compile(r"(?!\.)(?!.*\.\.)(?!(?i:aws|amazon)\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
_TYPE = re.compile(r"(String|Number|Binary)(\.[\x20-\x7e]+)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def outgoing(asked: Message, most_bytes: int, home: Home) -> Outgoing:
    """The message to be sent. Raises ServiceFault."""
    _refuse_meaningless(asked)
    if not asked.message_body:
        raise missing("MessageBody")
    if _FORBIDDEN.search(asked.message_body):
        message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
        message += "#xE000 to #xFFFD | #x10000 to #x10FFFF"
        raise ServiceFault("InvalidMessageContents", message, 400)
    delay = asked.delay_seconds
    if delay is not None and not 0 <= delay <= MOST_DELAY_SECONDS:
        raise invalid_value(delay, "DelaySeconds", f"DelaySeconds must be >= 0 and <= {MOST_DELAY_SECONDS}.")
    attributes = _attributes(asked.message_attributes or {})
    stored: Object = {"SenderId": home.account}
    if attributes:
        stored["MessageAttributes"] = attributes
    if size_of(asked) > most_bytes:
        raise invalid(f"One or more parameters are invalid. Reason: Message must be shorter than {most_bytes} bytes.")
    return Outgoing(asked.message_body, stored, delay)


def size_of(asked: Message) -> int:
    """In bytes: the body, and names, types and values of attributes."""
    size = len((asked.message_body or "").encode())
    for name, value in (asked.message_attributes or {}).items():
        texts = (name, value.data_type or "", value.string_value or "")
        size += sum(len(text.encode()) for text in texts) + len(value.binary_value or b"")
    return size


def sent(message: Outgoing, identifier: str) -> Object:
    """What the sender is answered."""
    answer = {"MessageId": identifier, "MD5OfMessageBody": digests.of_body(message.body)}
    if attributes := message.attributes.get("MessageAttributes"):
        answer["MD5OfMessageAttributes"] = digests.of_attributes(attributes)
    return answer


def received(message: Received, system: Sequence[str], wanted: Sequence[str], home: Home) -> Object:
    """A message with the attributes that were asked for; `wanted` may be All, and may end in `.*`."""
    answer: Object = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": digests.of_body(message.body),
        "Body": message.body,
    }
    found = {
        name: value for name, value in system_attributes(message, home).items() if name in system or "All" in system
    }
    if found:
        answer["Attributes"] = found
    chosen = {name: value for name, value in message_attributes(message).items() if _is_wanted(name, wanted)}
    if chosen:
        answer |= {"MessageAttributes": chosen, "MD5OfMessageAttributes": digests.of_attributes(chosen)}
    return answer


def check_system_names(names: Sequence[str]) -> None:
    """Raises ServiceFault for what no message has."""
    for name in names:
        if name not in SYSTEM_NAMES:
            raise ServiceFault("InvalidAttributeName", f"Unknown Attribute {name}.", 400)


def _is_wanted(name: str, wanted: Sequence[str]) -> bool:
    return any(each in ("All", name) or (each.endswith(".*") and name.startswith(each[:-2])) for each in wanted)


def _refuse_meaningless(asked: Message) -> None:
    for field, value in (
        ("MessageGroupId", asked.message_group_id),
        ("MessageDeduplicationId", asked.message_deduplication_id),
    ):
        if value is not None:
            message = f"The request include parameter {field} which is not valid for this queue type"
            raise invalid_value(value, field, message)
    if asked.message_system_attributes:
        raise unsupported("MessageSystemAttributes", "traces are not taken; leave it out")


def _attributes(asked: Mapping[str, MessageAttribute]) -> dict[str, dict[str, Any]]:
    if len(asked) > MOST_ATTRIBUTES:
        raise invalid(f"Number of message attributes [{len(asked)}] exceeds the allowed maximum [{MOST_ATTRIBUTES}].")
    return {name: _attribute(name, value) for name, value in asked.items()}


def _attribute(name: str, value: MessageAttribute) -> dict[str, Any]:
    if not _NAME.fullmatch(name):
        raise invalid(
            f"Invalid message attribute name '{name}': 1 to 256 of A-Z, a-z, 0-9, underscores, hyphens and dots; "
            "no dot at either end, no two dots in a row, and not AWS. or Amazon. in front."
        )
    if value.string_list_values or value.binary_list_values:
        why = "Message attribute list values in SendMessage operation are not supported."
        raise ServiceFault("UnsupportedOperation", why, 400)
    kind = value.data_type
    if not kind:
        raise invalid(f"The message attribute '{name}' must contain non-empty message attribute type.")
    if not _TYPE.fullmatch(kind) or len(kind) > 256:
        raise invalid(
            f"The message attribute '{name}' has an invalid message attribute type, "
            "the set of supported type prefixes is Binary, Number, and String."
        )
    return {"DataType": kind, **_VALUES[kind.partition(".")[0]](name, kind, value)}


def _text(name: str, kind: str, value: MessageAttribute) -> dict[str, str]:
    if not value.string_value or value.binary_value is not None:
        raise _empty(name, kind)
    if _FORBIDDEN.search(value.string_value):
        raise invalid(f"Invalid characters found in the value of message attribute '{name}'.")
    return {"StringValue": value.string_value}


def _number(name: str, kind: str, value: MessageAttribute) -> dict[str, str]:
    found = _text(name, kind, value)
    if not _NUMBER.fullmatch(found["StringValue"]):
        raise invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    return found


def _binary(name: str, kind: str, value: MessageAttribute) -> dict[str, str]:
    if not value.binary_value or value.string_value is not None:
        raise _empty(name, kind)
    return {"BinaryValue": base64.b64encode(value.binary_value).decode()}


def _empty(name: str, kind: str) -> ServiceFault:
    return invalid(
        f"The message attribute '{name}' must contain non-empty message attribute value "
        f"for message attribute type '{kind}'."
    )


_VALUES: dict[str, Callable[[str, str, MessageAttribute], dict[str, str]]] = {
    "String": _text,
    "Number": _number,
    "Binary": _binary,
}
