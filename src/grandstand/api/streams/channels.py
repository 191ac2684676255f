"""Kubernetes' channel protocols for WebSockets: each message begins with the number of its stream. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from grandstand.errors import BadRequest, GrandstandError, status_of

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE = 255
"""Since v5: the byte behind it is the number of a stream that has ended, while the others go on."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A subprotocol: its name, whether messages are text in base64, and whether a stream can end alone."""

    name: str
    text: bool = False
    closes: bool = False

    def encode(self, channel: int, data: bytes) -> bytes | str:
        if self.text:
            return f"{channel}{base64.b64encode(data).decode()}"
        return bytes((channel,)) + data

    def decode(self, message: bytes | str) -> tuple[int, bytes] | None:
        """Channel and data; None for an empty message, which says nothing. Raises BadRequest."""
        if not message:
            return None
        if not self.text:
            raw = message.encode() if isinstance(message, str) else message
            return raw[0], raw[1:]
        text = message if isinstance(message, str) else message.decode("latin-1")
        try:
            return int(text[0]), base64.b64decode(text[1:], validate=True)
        except (ValueError, binascii.Error) as error:
            raise BadRequest(f"a message of {self.name} is a digit and base64: {error}") from error


SESSION_PROTOCOLS = (
    Protocol("v5.channel.k8s.io", closes=True),
    Protocol("v4.channel.k8s.io"),
    Protocol("v4.base64.channel.k8s.io", text=True),
)
PORT_PROTOCOLS = (
    Protocol("v4.channel.k8s.io"),
    Protocol("v4.base64.channel.k8s.io", text=True),
    # What a client of the port-forward API names that asks for none of them.
    Protocol("portforward.k8s.io"),
)


def chosen(offered: Iterable[str], served: tuple[Protocol, ...]) -> Protocol:
    """The first of a client's protocols that is served. Raises BadRequest."""
    names = [name.strip() for header in offered for name in header.split(",") if name.strip()]
    for name in names:
        for protocol in served:
            if protocol.name == name:
                return protocol
    known = ", ".join(protocol.name for protocol in served)
    raise BadRequest(f"no subprotocol in common: the client offers {names or 'none'}, and served are {known}")


class _Size(msgspec.Struct, frozen=True):
    width: int = msgspec.field(name="Width")
    height: int = msgspec.field(name="Height")


MOST_CELLS = 0xFFFF


def terminal_size(data: bytes) -> tuple[int, int] | None:
    """Columns and rows in a message of the resize channel; None for one that has no size."""
    try:
        size = msgspec.json.decode(data, type=_Size)
    except msgspec.MsgspecError:
        return None
    if not (0 < size.width <= MOST_CELLS and 0 < size.height <= MOST_CELLS):
        return None
    return size.width, size.height


def exit_status(code: int) -> dict[str, Any]:
    """The `Status` on the error channel when a command has ended."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(error: GrandstandError) -> dict[str, Any]:
    """The `Status` on the error channel when there was no command, or no way to it."""
    status = status_of(error)
    return {**status, "message": f"Internal error occurred: error executing command in container: {error.message}"}
