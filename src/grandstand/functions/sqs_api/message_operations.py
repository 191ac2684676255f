"""Operations of SQS's API on messages: send, receive, delete, hide; alone and in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grandstand.errors import ServiceFault
from grandstand.functions.queues.ports import MOST_RECEIVED
from grandstand.kinds import Object

from . import asked, batches, messages
from .calls import Call, Parts, queue_name
from .faults import invalid_value, missing

MOST_HIDDEN_SECONDS = 43_200
MOST_WAIT_SECONDS = 20


async def send(parts: Parts, call: Call) -> Object:
    wanted = asked.read(call.body, asked.SendMessage)
    name = queue_name(wanted.queue_url, parts.home)
    queue = await parts.queues.get(name)
    message = messages.outgoing(wanted, queue.settings.most_message_bytes, parts.home)
    (identifier,) = await parts.queues.send(name, [message])
    return messages.sent(message, identifier)


async def send_batch(parts: Parts, call: Call) -> Object:
    """All good entries are sent, in one write."""
    wanted = asked.read(call.body, asked.SendMessageBatch)
    name = queue_name(wanted.queue_url, parts.home)
    entries = batches.entries(wanted.entries, "SendMessageBatchRequestEntry")
    batches.check_size(sum(messages.size_of(entry) for entry in entries.values()))
    most = (await parts.queues.get(name)).settings.most_message_bytes
    good, bad = batches.sorted_out(entries, lambda entry: messages.outgoing(entry, most, parts.home))
    identifiers = await parts.queues.send(name, list(good.values())) if good else []
    done = {
        entry: messages.sent(message, identifier)
        for (entry, message), identifier in zip(good.items(), identifiers, strict=True)
    }
    return batches.answer(done, bad)


async def receive(parts: Parts, call: Call) -> Object:
    """Waits up to 20 s. What comes for somebody who has gone meanwhile is shown to others at once."""
    wanted = asked.read(call.body, asked.ReceiveMessage)
    name = queue_name(wanted.queue_url, parts.home)
    system = [*(wanted.attribute_names or []), *(wanted.message_system_attribute_names or [])]
    _check_receive(wanted)
    messages.check_system_names(system)
    found = await parts.queues.receive(
        name,
        1 if wanted.max_number_of_messages is None else wanted.max_number_of_messages,
        wanted.visibility_timeout,
        wanted.wait_time_seconds,
    )
    if found and call.gone():
        await parts.queues.postpone(name, [message.receipt for message in found], 0)
        return {}
    names = wanted.message_attribute_names or []
    return {"Messages": [messages.received(each, system, names, parts.home) for each in found]} if found else {}


def _check_receive(wanted: asked.ReceiveMessage) -> None:
    most, hidden, wait = wanted.max_number_of_messages, wanted.visibility_timeout, wanted.wait_time_seconds
    if most is not None and not 1 <= most <= MOST_RECEIVED:
        raise invalid_value(most, "MaxNumberOfMessages", f"Must be between 1 and {MOST_RECEIVED}, if provided.")
    if hidden is not None and not 0 <= hidden <= MOST_HIDDEN_SECONDS:
        raise invalid_value(hidden, "VisibilityTimeout", f"Must be between 0 and {MOST_HIDDEN_SECONDS}, if provided.")
    if wait is not None and not 0 <= wait <= MOST_WAIT_SECONDS:
        raise invalid_value(wait, "WaitTimeSeconds", f"Must be >= 0 and <= {MOST_WAIT_SECONDS}, if provided.")
    if wanted.receive_request_attempt_id is not None:
        reason = "The request include parameter that is not valid for this queue type"
        raise invalid_value(wanted.receive_request_attempt_id, "ReceiveRequestAttemptId", reason)


async def delete(parts: Parts, call: Call) -> None:
    """A receipt that is no longer good is no error, as in AWS: clients repeat deletions."""
    wanted = asked.read(call.body, asked.DeleteMessage)
    name = queue_name(wanted.queue_url, parts.home)
    await parts.queues.settle(name, [_receipt(wanted)])


async def delete_batch(parts: Parts, call: Call) -> Object:
    wanted = asked.read(call.body, asked.DeleteMessageBatch)
    name = queue_name(wanted.queue_url, parts.home)
    entries = batches.entries(wanted.entries, "DeleteMessageBatchRequestEntry")
    good, bad = batches.sorted_out(entries, _receipt)
    await parts.queues.settle(name, list(good.values()))
    return batches.answer({entry: {} for entry in good}, bad)


async def hide(parts: Parts, call: Call) -> None:
    wanted = asked.read(call.body, asked.ChangeMessageVisibility)
    name = queue_name(wanted.queue_url, parts.home)
    receipt, seconds = _hiding(wanted)
    (done,) = await parts.queues.postpone(name, [receipt], seconds)
    if not done:
        raise _not_there(receipt)


async def hide_batch(parts: Parts, call: Call) -> Object:
    wanted = asked.read(call.body, asked.ChangeMessageVisibilityBatch)
    name = queue_name(wanted.queue_url, parts.home)
    await parts.queues.get(name)
    entries = batches.entries(wanted.entries, "ChangeMessageVisibilityBatchRequestEntry")
    good, bad = batches.sorted_out(entries, _hiding)
    done = await _hidden(parts, name, good)
    bad |= {entry: _not_there(good[entry][0]) for entry in good if entry not in done}
    return batches.answer({entry: {} for entry in done}, bad)


async def _hidden(parts: Parts, name: str, wanted: Mapping[str, tuple[str, int]]) -> Sequence[str]:
    """The entries whose messages are hidden now: one write for all with the same time."""
    done: set[str] = set()
    for seconds in sorted({seconds for _, seconds in wanted.values()}):
        alike = {entry: receipt for entry, (receipt, each) in wanted.items() if each == seconds}
        answers = await parts.queues.postpone(name, list(alike.values()), seconds)
        done |= {entry for entry, good in zip(alike, answers, strict=True) if good}
    return [entry for entry in wanted if entry in done]


def _receipt(wanted: asked.DeleteMessage | asked.DeleteEntry) -> str:
    if not wanted.receipt_handle:
        raise missing("ReceiptHandle")
    return wanted.receipt_handle


def _hiding(wanted: asked.ChangeMessageVisibility | asked.VisibilityEntry) -> tuple[str, int]:
    receipt, seconds = wanted.receipt_handle, wanted.visibility_timeout
    if not receipt:
        raise missing("ReceiptHandle")
    if seconds is None:
        raise missing("VisibilityTimeout")
    if not 0 <= seconds <= MOST_HIDDEN_SECONDS:
        reason = f"VisibilityTimeout must be an integer between 0 and {MOST_HIDDEN_SECONDS}."
        raise invalid_value(seconds, "VisibilityTimeout", reason)
    return receipt, seconds


def _not_there(receipt: str) -> ServiceFault:
    reason = "Message does not exist or is not available for visibility timeout change."
    return invalid_value(receipt, "ReceiptHandle", reason)
