"""Every error that Grandstand raises, by whose fault it is.

The docstring of a class is its message where none is given; it says what is wrong, and what to do next. `code` and
`reason` are the HTTP status and the `reason` of the Kubernetes `Status` object that the API answers with.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: `reason` is Kubernetes' cause type, e.g. `FieldValueRequired`."""

    reason: str
    message: str
    field: str


class GrandstandError(Exception):
    """Something went wrong inside Grandstand. The log of the engine says more."""

    code: ClassVar[int] = 500
    reason: str = "InternalError"
    details: dict[str, Any] | None = None
    """What the `Status` object says besides: name, group and kind of the object, retryAfterSeconds."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))

    @property
    def message(self) -> str:
        return str(self)


# The caller's fault: asking again changes nothing until the request does.


class CallerError(GrandstandError):
    """The request cannot be served as it is."""

    code = 400
    reason = "BadRequest"


class BadRequest(CallerError):
    """The request is malformed."""


class Unauthorized(CallerError):
    """Unauthorized"""

    code = 401
    reason = "Unauthorized"


class Forbidden(CallerError):
    """The credential is valid, but may not do this."""

    code = 403
    reason = "Forbidden"


class NotFound(CallerError):
    """the server could not find the requested resource"""

    code = 404
    reason = "NotFound"


class MethodNotAllowed(CallerError):
    """the server does not allow this method on the requested resource"""

    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(CallerError):
    """The server only answers in application/json."""

    code = 406
    reason = "NotAcceptable"


class AlreadyExists(CallerError):
    """An object of this name exists already."""

    code = 409
    reason = "AlreadyExists"


class Conflict(CallerError):
    """the object has been modified; please apply your changes to the latest version and try again"""

    code = 409
    reason = "Conflict"

    def __init__(self, message: str | None = None, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes


class Expired(CallerError):
    """The provided resourceVersion is too old: list again, and watch from the version of that list."""

    code = 410
    reason = "Expired"


class TooLarge(CallerError):
    """The request body is larger than the API accepts (3 MiB)."""

    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(CallerError):
    """The body's Content-Type is not one that this endpoint reads."""

    code = 415
    reason = "UnsupportedMediaType"


class NotImplementedHere(CallerError):
    """Grandstand does not serve this part of the Kubernetes API."""

    code = 501
    reason = "NotImplemented"


class Invalid(CallerError):
    """The object has fields that are wrong; `causes` names each."""

    code = 422
    reason = "Invalid"

    def __init__(self, message: str | None = None, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes


class SandboxRefused(CallerError):
    """The Pod asks for a sandbox that cannot be made."""


class ArtefactRefused(CallerError):
    """The zip cannot be the code of a function: look at what is in it, and upload it again."""

    reason = "InvalidArtefact"


class ServiceFault(GrandstandError):
    """An answer of an AWS API that is no success: `error` is AWS's name of it, `status` the HTTP status."""

    def __init__(self, error: str, message: str, status: int = 400, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.error = error
        self.status = status
        self.fields = fields or {}
        """What the error says beside its type and message, e.g. Reason."""


# The platform's fault or limit: the same request may succeed later.


class PlatformError(GrandstandError):
    """Grandstand could not do what it should."""


class TooManyRequests(PlatformError):
    """Too many requests at once; try again in a second."""

    code = 429
    reason = "TooManyRequests"


class TimedOut(PlatformError):
    """The request could not be answered in time; try again in a second."""

    code = 504
    reason = "Timeout"


class Unavailable(PlatformError):
    """The part of Grandstand that serves this is starting or stopping; try again in a second."""

    code = 503
    reason = "ServiceUnavailable"


class AddressesExhausted(PlatformError):
    """All Pod addresses are in use: delete some Pods."""

    code = 503
    reason = "ServiceUnavailable"


# A peer's fault: the machine, a program or a remote server that Grandstand depends on.


class PeerError(GrandstandError):
    """A program or server that Grandstand depends on failed."""

    code = 502
    reason = "InternalError"


class NetworkFailure(PeerError):
    """The machine refused a change of its network. Run as root, and see what the message names."""


class GatewayFailure(PeerError):
    """HAProxy refused or failed; its own message follows."""


class RuntimeFailure(PeerError):
    """The OCI runtime refused or failed; its own message follows."""


class CreateContainerError(RuntimeFailure):
    """The container could not be created."""

    reason = "CreateContainerError"


class RunContainerError(RuntimeFailure):
    """The container was created, but could not be started."""

    reason = "RunContainerError"


class NoSuchContainer(RuntimeFailure):
    """There is no such container: it was never created, or it was removed."""

    code = 404
    reason = "NotFound"


class SandboxFailure(PeerError):
    """The sandbox of a function could not be made, or has ended. Try again; the log of its warm parent says why."""


class PortUnreachable(PeerError):
    """Nothing listens on that port in the Pod."""


class ExecTimeout(RuntimeFailure):
    """The command inside the container did not end in time, and was killed. Give it longer, or make it faster."""

    reason = "ExecTimeout"


class NoCgroups(PeerError):
    """This machine has no cgroups to limit containers: mount v2, or v1 with cpu, cpuacct, memory, pids and freezer."""


class NoRuntime(PeerError):
    """No OCI runtime works on this machine: install the Debian packages `runc` and `conmon`."""


def status_of(error: GrandstandError, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the Kubernetes `Status` object for an error; `details` names the object (group, kind, name)."""
    details = details or error.details
    causes = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field}
        for cause in getattr(error, "causes", ())
    ]
    details = {**(details or {}), **({"causes": causes} if causes else {})}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        **({"details": details} if details else {}),
        "code": error.code,
    }
