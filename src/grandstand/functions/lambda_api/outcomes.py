"""Write answers and errors as each of AWS's protocols has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from grandstand.errors import (
    Conflict,
    GrandstandError,
    Invalid,
    NotFound,
    PlatformError,
    ServiceFault,
    TooManyRequests,
)
from grandstand.functions import sqs_api

from . import xml_answers
from .faults import INVALID

_QUERY_CODES = {
    "UnrecognizedClientException": "InvalidClientTokenId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
}
"""What the query protocol calls errors that others call otherwise."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def fault_of(error: GrandstandError) -> ServiceFault:
    """What AWS would call an error of the platform."""
    match error:
        case ServiceFault():
            return error
        case Invalid():
            return ServiceFault(INVALID, error.message, 400)
        case NotFound():
            return ServiceFault("ResourceNotFoundException", error.message, 404)
        case Conflict():
            return ServiceFault("ResourceConflictException", error.message, 409)
        case TooManyRequests():
            return ServiceFault("TooManyRequestsException", error.message, 429)
        case PlatformError():
            return ServiceFault("ServiceException", error.message, 503)
    return ServiceFault("ServiceException", error.message, 500)


def failed(service: str, fault: ServiceFault, request_id: str) -> Outcome:
    """An error, in the protocol of a service."""
    if service in ("sts", "iam"):
        code = _QUERY_CODES.get(fault.error, fault.error)
        body = xml_answers.error(code, fault.message, request_id, sender=fault.status < 500)
        return Outcome(fault.status, body, {"Content-Type": "text/xml"})
    if service == "logs":
        said = {"__type": fault.error, "message": fault.message}
        return Outcome(fault.status, msgspec.json.encode(said), {"Content-Type": "application/x-amz-json-1.1"})
    if service == "sqs":
        return Outcome(fault.status, *sqs_api.written(fault))
    # AWS writes Message for some errors and message for others: clients of each find theirs.
    said = {"Type": "User" if fault.status < 500 else "Service", "Message": fault.message, "message": fault.message}
    headers = {"Content-Type": "application/json", "x-amzn-errortype": fault.error}
    if fault.status == 429:
        headers["Retry-After"] = "1"
    return Outcome(fault.status, msgspec.json.encode(said | fault.fields), headers)
