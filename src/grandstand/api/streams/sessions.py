"""What a client may ask of a container's streams; the node opens them, and the API carries their bytes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from grandstand.api.parameters import flag
from grandstand.errors import BadRequest

if TYPE_CHECKING:
    from multidict import MultiMapping

STDOUT, STDERR = 1, 2

MOST_COMMAND_BYTES = 128 * 1024
"""As much as Linux takes for one argument."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """`container` "" is the Pod's only one. `command` is empty for `attach`."""

    container: str = ""
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class Session(Protocol):
    """The open streams of a command or a container."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next piece of standard output (1) or error (2), or None at the end. Raises RuntimeFailure."""

    async def code(self) -> int:
        """The exit code, once `read` has given None. Raises RuntimeFailure when nothing could be run."""

    async def write(self, data: bytes) -> None:
        """Return when standard input has taken it, or nobody reads it any more."""

    def end_input(self) -> None:
        """There is no more standard input."""

    def resize(self, columns: int, rows: int) -> None:
        """Tell the terminal its size."""


class Connection(Protocol):
    """A TCP connection to a port of a Pod."""

    async def read(self) -> bytes:
        """What came, or nothing at the end."""

    async def write(self, data: bytes) -> bool:
        """Return when it is on its way; False when the other side takes no more."""

    def end_input(self) -> None:
        """Nothing more will be written."""

    def close(self) -> None: ...


class PodStreams(Protocol):
    """Opens streams into containers. Raises BadRequest and NotFound for those that cannot be."""

    def execute(self, namespace: str, name: str, wishes: StreamOptions, /) -> AbstractAsyncContextManager[Session]: ...

    def attach(self, namespace: str, name: str, wishes: StreamOptions, /) -> AbstractAsyncContextManager[Session]: ...

    def pod_networks(self, namespace: str, name: str, /) -> None:
        """Raise what stands against any connection to this Pod."""

    async def connect(self, namespace: str, name: str, port: int, /) -> Connection:
        """Raises PortUnreachable as well."""

    async def settled(self) -> None:
        """Return when what nobody uses any more has ended."""


class NoStreams:
    """For an API server without a node."""

    def execute(self, namespace: str, name: str, wishes: StreamOptions) -> AbstractAsyncContextManager[Session]:
        raise _nobody(namespace, name)

    def attach(self, namespace: str, name: str, wishes: StreamOptions) -> AbstractAsyncContextManager[Session]:
        raise _nobody(namespace, name)

    def pod_networks(self, namespace: str, name: str) -> None:
        raise _nobody(namespace, name)

    async def connect(self, namespace: str, name: str, port: int) -> Connection:
        raise _nobody(namespace, name)

    async def settled(self) -> None:
        return


def _nobody(namespace: str, name: str) -> BadRequest:
    return BadRequest(f"{namespace}/{name} cannot be reached: this API server runs without a node")


def stream_options(query: MultiMapping[str], *, command: bool) -> StreamOptions:
    """Read the parameters of `exec` (with a command) or `attach`. Raises BadRequest."""
    words = tuple(query.getall("command", ()))
    if command and not any(words):
        raise BadRequest("exec needs at least one `command` parameter: the program, then one for each argument")
    if sum(map(len, words)) > MOST_COMMAND_BYTES or any("\0" in word for word in words):
        raise BadRequest(f"the command may have {MOST_COMMAND_BYTES} characters in all, and no NUL among them")
    stdin, stdout, stderr, tty = (flag(query, name) for name in ("stdin", "stdout", "stderr", "tty"))
    if not (stdin or stdout or stderr):
        raise BadRequest("you must specify at least one of stdin, stdout, stderr")
    # A terminal has one output.
    return StreamOptions(
        query.get("container", ""), words if command else (), stdin, stdout or (tty and stderr), stderr and not tty, tty
    )
