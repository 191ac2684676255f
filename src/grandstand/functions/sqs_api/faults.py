"""The errors of SQS's API: AWS's names and messages, and how they are written. Pure."""

from __future__ import annotations

import msgspec

from grandstand.errors import ServiceFault

CONTENT_TYPE = "application/x-amz-json-1.0"
_PREFIX = "AWS.SimpleQueueService."
_QUERY_CODES = {
    "BatchEntryIdsNotDistinct": f"{_PREFIX}BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": f"{_PREFIX}BatchRequestTooLong",
    "EmptyBatchRequest": f"{_PREFIX}EmptyBatchRequest",
    "InvalidAttributeName": "InvalidAttributeName",
    "InvalidAttributeValue": "InvalidAttributeValue",
    "InvalidBatchEntryId": f"{_PREFIX}InvalidBatchEntryId",
    "InvalidMessageContents": "InvalidMessageContents",
    "QueueDoesNotExist": f"{_PREFIX}NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "TooManyEntriesInBatchRequest": f"{_PREFIX}TooManyEntriesInBatchRequest",
    "UnsupportedOperation": f"{_PREFIX}UnsupportedOperation",
}
"""The errors of SQS's model, and what the older protocol called them: clients still know them by these names."""

_COMMON_CODES = {
    "InvalidParameterValueException": "InvalidParameterValue",
    "MissingRequiredParameterException": "MissingParameter",
    "UnknownOperationException": "InvalidAction",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
}
"""The same of errors that all of AWS's services share."""


def query_code(fault: ServiceFault) -> str:
    """What the older protocol, boto3 and the entries of batches call an error."""
    return _QUERY_CODES.get(fault.error) or _COMMON_CODES.get(fault.error, fault.error)


def written(fault: ServiceFault) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an error's answer."""
    space = "com.amazonaws.sqs" if fault.error in _QUERY_CODES else "com.amazon.coral.service"
    body = msgspec.json.encode({"__type": f"{space}#{fault.error}", "message": fault.message})
    whose = "Sender" if fault.status < 500 else "Receiver"
    return body, {"Content-Type": CONTENT_TYPE, "x-amzn-query-error": f"{query_code(fault)};{whose}"}


def no_queue() -> ServiceFault:
    return ServiceFault("QueueDoesNotExist", "The specified queue does not exist.", 400)


def invalid(message: str) -> ServiceFault:
    return ServiceFault("InvalidParameterValueException", message, 400)


def invalid_value(value: object, parameter: str, reason: str) -> ServiceFault:
    return invalid(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> ServiceFault:
    message = f"The request must contain the parameter {parameter}."
    return ServiceFault("MissingRequiredParameterException", message, 400)


def unsupported(what: str, why: str) -> ServiceFault:
    """What AWS knows and nothing here acts on: refused, so that nobody relies on it."""
    return ServiceFault("UnsupportedOperation", f"{what} is not supported by Grandstand: {why}", 400)


def unknown_attribute(name: str) -> ServiceFault:
    return ServiceFault("InvalidAttributeName", f"Unknown Attribute {name}.", 400)


def unsupported_attribute(name: str, why: str) -> ServiceFault:
    return ServiceFault("InvalidAttributeName", f"{name} is not supported by Grandstand: {why}", 400)


def invalid_attribute(name: str) -> ServiceFault:
    return ServiceFault("InvalidAttributeValue", f"Invalid value for the parameter {name}.", 400)
