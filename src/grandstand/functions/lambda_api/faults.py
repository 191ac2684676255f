"""The errors of Lambda's API: AWS's names, statuses and messages."""

from __future__ import annotations

from collections.abc import Sequence

from grandstand.errors import ServiceFault

INVALID = "InvalidParameterValueException"
NO_RESOURCE = "The resource you requested does not exist."


def invalid(message: str) -> ServiceFault:
    return ServiceFault(INVALID, message, 400)


def unsupported(field: str, why: str) -> ServiceFault:
    """A field that AWS knows and that means nothing here: refused, so that nobody relies on it."""
    return invalid(f"{field} is not supported by Grandstand: {why}")


def not_found(message: str = NO_RESOURCE) -> ServiceFault:
    return ServiceFault("ResourceNotFoundException", message, 404)


def function_not_found(arn: str) -> ServiceFault:
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> ServiceFault:
    return ServiceFault("ResourceConflictException", message, 409)


def stale(what: str = "GetFunction/GetAlias") -> ServiceFault:
    message = (
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {what} API to retrieve the latest Revision Id"
    )
    return ServiceFault("PreconditionFailedException", message, 412)


def too_large(most_bytes: int, operation: str) -> ServiceFault:
    message = f"Request must be smaller than {most_bytes} bytes for the {operation} operation"
    return ServiceFault("RequestTooLargeException", message, 413)


def bad_json(message: str) -> ServiceFault:
    return ServiceFault("InvalidRequestContentException", f"Could not parse request body into json: {message}", 400)


def validation(problems: Sequence[str]) -> ServiceFault:
    """`problems` as "Value 'x' at 'memorySize' failed to satisfy constraint: …"."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return ServiceFault("ValidationException", f"{count}: {'; '.join(problems)}", 400)


def out_of_bounds(field: str, value: object, constraint: str) -> str:
    return f"Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
