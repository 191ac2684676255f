"""Find the operation of SQS's API that a request means, and have it done."""

from __future__ import annotations

import msgspec

from grandstand.errors import Invalid, NotFound, ServiceFault

from . import message_operations as on_messages
from . import queue_operations as on_queues
from .calls import Call, Operation, Parts
from .faults import invalid, no_queue, unsupported

TARGET = "AmazonSQS."
OPERATIONS: dict[str, Operation] = {
    "CreateQueue": on_queues.create,
    "DeleteQueue": on_queues.delete,
    "GetQueueUrl": on_queues.find,
    "ListQueues": on_queues.list_all,
    "ListDeadLetterSourceQueues": on_queues.list_sources,
    "GetQueueAttributes": on_queues.read,
    "SetQueueAttributes": on_queues.change,
    "PurgeQueue": on_queues.purge,
    "TagQueue": on_queues.tag,
    "UntagQueue": on_queues.untag,
    "ListQueueTags": on_queues.list_tags,
    "SendMessage": on_messages.send,
    "SendMessageBatch": on_messages.send_batch,
    "ReceiveMessage": on_messages.receive,
    "DeleteMessage": on_messages.delete,
    "DeleteMessageBatch": on_messages.delete_batch,
    "ChangeMessageVisibility": on_messages.hide,
    "ChangeMessageVisibilityBatch": on_messages.hide_batch,
}
_POLICY = "whoever has the engine's access key may use every queue"
_MOVES = "receive the messages of the dead-letter queue and send them again"
REFUSED = {
    "AddPermission": _POLICY,
    "RemovePermission": _POLICY,
    "StartMessageMoveTask": _MOVES,
    "CancelMessageMoveTask": _MOVES,
    "ListMessageMoveTasks": _MOVES,
}
"""Operations that AWS has, and why they are not here."""


async def answer(parts: Parts, target: str, call: Call) -> bytes:
    """The body of an answer; `target` is the request's X-Amz-Target. Raises ServiceFault."""
    name = target.removeprefix(TARGET)
    if name in REFUSED:
        raise unsupported(name, REFUSED[name])
    if not target:
        why = "the older query protocol is not spoken; use an SDK that speaks SQS's JSON protocol (since November 2023)"
        raise unsupported("A request without X-Amz-Target", why)
    if not target.startswith(TARGET) or name not in OPERATIONS:
        raise ServiceFault("UnknownOperationException", f"{target} is no operation of SQS's API", 400)
    try:
        said = await OPERATIONS[name](parts, call)
    except NotFound:
        raise no_queue() from None
    except Invalid as error:
        raise invalid(error.message) from error
    return b"" if said is None else msgspec.json.encode(said)
