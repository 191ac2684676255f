"""Translate between the attributes of SQS's queues and the settings of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from grandstand.functions.queues.ports import Counts, DeadLetters, Queue, QueueSettings

from .faults import invalid_attribute, invalid_value, unknown_attribute, unsupported_attribute
from .names import Home, is_shown, name_in_arn, queue_arn

NUMBERS: dict[str, tuple[str, int, int]] = {
    "VisibilityTimeout": ("visibility_seconds", 0, 43_200),
    "DelaySeconds": ("delay_seconds", 0, 900),
    "MessageRetentionPeriod": ("retention_seconds", 60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": ("wait_seconds", 0, 20),
    "MaximumMessageSize": ("most_message_bytes", 1_024, 1_048_576),
}
"""Attribute -> the setting, its least and its greatest value."""

_FIFO = "there are no FIFO queues: messages come roughly in the order of sending, and at least once; leave it out"
_KMS = "messages are stored as the machine's disk stores files; leave it out"
_POLICY = "whoever has the engine's access key may use every queue; leave it out"
MEANINGLESS: dict[str, tuple[tuple[str, ...], str]] = {
    "Policy": (("",), _POLICY),
    "RedriveAllowPolicy": (("",), "every queue may be a dead-letter queue; leave it out"),
    "KmsMasterKeyId": (("",), _KMS),
    "KmsDataKeyReusePeriodSeconds": ((), _KMS),
    "SqsManagedSseEnabled": (("false",), _KMS),
    "FifoQueue": (("false",), _FIFO),
    "ContentBasedDeduplication": (("false",), _FIFO),
    "DeduplicationScope": ((), _FIFO),
    "FifoThroughputLimit": ((), _FIFO),
}
"""Attribute -> the values that say what is so anyway, and why others are refused."""

REDRIVE = "RedrivePolicy"
_MOST_RECEIVES = 1_000
_COUNTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_OTHERS = ("All", "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", REDRIVE)
READABLE = frozenset((*_OTHERS, *_COUNTED, *NUMBERS, *MEANINGLESS))


def settings_with(settings: QueueSettings, attributes: Mapping[str, str], home: Home) -> QueueSettings:
    """The settings, changed as attributes say. Raises ServiceFault.

    Whether a dead-letter queue is there is left to the caller.
    """
    changes: dict[str, Any] = {}
    for name, value in attributes.items():
        if name in NUMBERS:
            setting, least, most = NUMBERS[name]
            changes[setting] = _number(name, value, least, most)
        elif name == REDRIVE:
            changes["dead_letters"] = _dead_letters(value, home)
        elif name in MEANINGLESS:
            accepted, why = MEANINGLESS[name]
            if value not in accepted:
                raise unsupported_attribute(name, why)
        else:
            raise unknown_attribute(name)
    return replace(settings, **changes)


def differing(there: QueueSettings, attributes: Mapping[str, str], home: Home) -> str | None:
    """The first of the attributes that a queue has with another value; None where all are the same."""
    return next((name for name in attributes if settings_with(there, {name: attributes[name]}, home) != there), None)


def shown(queue: Queue, counts: Counts, names: Sequence[str], home: Home) -> dict[str, str]:
    """The attributes that were asked for, as far as the queue has them. Raises ServiceFault for unknown names."""
    for name in names:
        if name not in READABLE:
            raise unknown_attribute(name)
    numbers = (counts.visible, counts.in_flight, counts.delayed)
    found = {
        "QueueArn": queue_arn(home, queue.name),
        **{name: str(number) for name, number in zip(_COUNTED, numbers, strict=True)},
        "CreatedTimestamp": str(int(queue.created)),
        "LastModifiedTimestamp": str(int(queue.changed)),
        **{name: str(getattr(queue.settings, setting)) for name, (setting, _, _) in NUMBERS.items()},
        "SqsManagedSseEnabled": "false",
    }
    if queue.settings.dead_letters is not None and is_shown(queue.settings.dead_letters.queue):
        found[REDRIVE] = _redrive(queue.settings.dead_letters, home)
    return {name: value for name, value in found.items() if name in names or "All" in names}


def _number(name: str, value: str, least: int, most: int) -> int:
    digits = value.isascii() and value.isdecimal() and len(value) < 10
    if not digits or not least <= int(value) <= most:
        raise invalid_attribute(name)
    return int(value)


def _dead_letters(value: str, home: Home) -> DeadLetters | None:
    """Nothing at all takes the policy away, as infrastructure tools do."""
    if not value:
        return None
    try:
        policy = msgspec.json.decode(value, type=dict[str, Any])
    except msgspec.DecodeError:
        raise invalid_value(value, REDRIVE, "Redrive policy is not a valid JSON map.") from None
    for key in ("deadLetterTargetArn", "maxReceiveCount"):
        if policy.get(key) in (None, ""):
            raise invalid_value(value, REDRIVE, f"Redrive policy does not contain mandatory attribute: {key}.")
    if unknown := sorted(policy.keys() - {"deadLetterTargetArn", "maxReceiveCount"}):
        raise invalid_value(value, REDRIVE, f"Redrive policy contains unknown attributes: {', '.join(unknown)}.")
    name = name_in_arn(home, str(policy["deadLetterTargetArn"]))
    if name is None:
        reason = f"Dead letter target must be a queue here, as {queue_arn(home, 'NAME')}."
        raise invalid_value(value, REDRIVE, reason)
    return DeadLetters(name, _most_receives(value, policy["maxReceiveCount"]))


def _most_receives(policy: str, count: Any) -> int:
    """AWS takes it as a number or as text."""
    text = str(count)
    digits = not isinstance(count, bool) and text.isascii() and text.isdecimal() and len(text) < 10
    if not digits or not 1 <= int(text) <= _MOST_RECEIVES:
        reason = (
            f"Invalid value for maxReceiveCount: {text}, valid values are from 1 to {_MOST_RECEIVES} both inclusive."
        )
        raise invalid_value(policy, REDRIVE, reason)
    return int(text)


def _redrive(rule: DeadLetters, home: Home) -> str:
    policy = {"deadLetterTargetArn": queue_arn(home, rule.queue), "maxReceiveCount": rule.most_receives}
    return msgspec.json.encode(policy).decode()
