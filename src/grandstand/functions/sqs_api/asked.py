"""What requests of SQS's API say: a structure for each, which refuses other fields and types. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from grandstand.errors import ServiceFault


class Asked(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """Fields have AWS's names in the JSON; those that must be there are checked by whoever reads them."""


class OfQueue(Asked, frozen=True):
    """A request that is about one queue."""

    queue_url: str | None = None


class MessageAttribute(Asked, frozen=True):
    """BinaryValue in base64."""

    data_type: str | None = None
    string_value: str | None = None
    binary_value: bytes | None = None
    string_list_values: list[str] | None = None
    binary_list_values: list[bytes] | None = None


class Message(Asked, frozen=True):
    """What is sent, alone or as an entry of a batch."""

    message_body: str | None = None
    delay_seconds: int | None = None
    message_attributes: dict[str, MessageAttribute] | None = None
    message_system_attributes: dict[str, MessageAttribute] | None = None
    message_deduplication_id: str | None = None
    message_group_id: str | None = None


class CreateQueue(Asked, frozen=True):
    queue_name: str | None = None
    attributes: dict[str, str] | None = None
    tags: dict[str, str] | None = msgspec.field(default=None, name="tags")


class GetQueueUrl(Asked, frozen=True):
    queue_name: str | None = None
    owner: str | None = msgspec.field(default=None, name="QueueOwnerAWSAccountId")


class ListQueues(Asked, frozen=True):
    queue_name_prefix: str | None = None
    next_token: str | None = None
    max_results: int | None = None


class ListDeadLetterSourceQueues(OfQueue, frozen=True):
    next_token: str | None = None
    max_results: int | None = None


class GetQueueAttributes(OfQueue, frozen=True):
    attribute_names: list[str] | None = None


class SetQueueAttributes(OfQueue, frozen=True):
    attributes: dict[str, str] | None = None


class TagQueue(OfQueue, frozen=True):
    tags: dict[str, str] | None = None


class UntagQueue(OfQueue, frozen=True):
    tag_keys: list[str] | None = None


class SendMessage(Message, frozen=True):
    queue_url: str | None = None


class SendEntry(Message, frozen=True):
    id: str | None = None


class SendMessageBatch(OfQueue, frozen=True):
    entries: list[SendEntry] | None = None


class ReceiveMessage(OfQueue, frozen=True):
    attribute_names: list[str] | None = None
    message_system_attribute_names: list[str] | None = None
    message_attribute_names: list[str] | None = None
    max_number_of_messages: int | None = None
    visibility_timeout: int | None = None
    wait_time_seconds: int | None = None
    receive_request_attempt_id: str | None = None


class DeleteMessage(OfQueue, frozen=True):
    receipt_handle: str | None = None


class DeleteEntry(Asked, frozen=True):
    id: str | None = None
    receipt_handle: str | None = None


class DeleteMessageBatch(OfQueue, frozen=True):
    entries: list[DeleteEntry] | None = None


class ChangeMessageVisibility(OfQueue, frozen=True):
    receipt_handle: str | None = None
    visibility_timeout: int | None = None


class VisibilityEntry(Asked, frozen=True):
    id: str | None = None
    receipt_handle: str | None = None
    visibility_timeout: int | None = None


class ChangeMessageVisibilityBatch(OfQueue, frozen=True):
    entries: list[VisibilityEntry] | None = None


T = TypeVar("T", bound=Asked)


def read(body: bytes, kind: type[T]) -> T:
    """The request in a body; without fields where there is none. Raises ServiceFault."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServiceFault("SerializationException", str(error), 400) from error
