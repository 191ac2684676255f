"""Send requests to an API server: connect, prove who asks, and say plainly what went wrong.

aiohttp is imported where a client connects: it takes a third of a second that `grandstand --help` should not wait for.
"""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grandstand.errors import BadRequest, GrandstandError, PeerError, Unavailable

from .kubeconfig import Connection
from .replies import error_of

if TYPE_CHECKING:
    import aiohttp

JSON = "application/json"
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Request:
    """`answer_seconds`: for the whole answer; `silence_seconds`: between two parts of it. None: any time."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON
    answer_seconds: float | None = ANSWER_SECONDS
    silence_seconds: float | None = None


class Transport:
    """Requests over kept connections; `open` and `close` it in the event loop that uses it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        import aiohttp

        tls = tls_of(self._connection) if self._connection.server.startswith("https:") else False
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers=credential_of(self._connection))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, to be read within. Raises the error that it stands for, or what kept it from coming."""
        import aiohttp

        if self._session is None:
            raise Unavailable("this client is not connected: use it within `async with RemoteClient(…) as client`")
        headers = {"Accept": request.accept} | ({} if request.body is None else {"Content-Type": request.content_type})
        try:
            async with self._session.request(
                request.method,
                self._connection.server + request.path,
                params=request.query,
                data=request.body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(
                    total=request.answer_seconds, sock_connect=CONNECT_SECONDS, sock_read=request.silence_seconds
                ),
                proxy=self._connection.proxy,
                server_hostname=self._connection.server_name,
            ) as reply:
                if reply.status >= 400:
                    asked = f"{request.method} {self._connection.server}{request.path}"
                    raise error_of(reply.status, await reply.read(), asked)
                yield reply
        except (aiohttp.ClientError, OSError) as error:
            raise failure(error, self._connection.server) from error


async def until_broken(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The answer in chunks as they come; a connection that breaks ends it as one that is closed does."""
    import aiohttp

    with suppress(aiohttp.ClientError, OSError):
        async for chunk in reply.content.iter_any():
            yield chunk


def failure(error: Exception, server: str) -> GrandstandError:
    """What a failed connection means to who asked."""
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return PeerError(
                f"no safe connection to {server}: {error}. Check that the kubeconfig is the one of this server: "
                "its certificate-authority must have signed the server's certificate."
            )
        case aiohttp.ClientConnectorError():
            return Unavailable(
                f"no API server answers at {server}: {error.os_error}. Is it running? Start it, or check the address."
            )
        case TimeoutError():
            return Unavailable(f"the API server at {server} did not answer in time. It may be busy: try again.")
        case _:
            return Unavailable(
                f"the connection to {server} broke: {error or type(error).__name__}. "
                "What was asked may have been done or not: look before you ask again."
            )


def credential_of(connection: Connection) -> dict[str, str]:
    """The headers that say who asks."""
    if connection.token:
        return {"Authorization": f"Bearer {connection.token}"}
    if connection.user is not None:
        pair = f"{connection.user}:{connection.password or ''}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return {}


def tls_of(connection: Connection) -> ssl.SSLContext:
    """What the server's certificate is checked against, and the client's own. Raises BadRequest for what is no PEM."""
    try:
        context = ssl.create_default_context(cadata=connection.authority)
        if connection.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if connection.certificate:
            _load_certificate(context, connection.certificate, connection.key or "")
    except (ssl.SSLError, ValueError) as error:
        raise BadRequest(f"the kubeconfig's certificates cannot be used: {error}. Get a new kubeconfig.") from error
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # OpenSSL only reads a chain from a file: one in memory keeps the key off the disk.
    memory = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(memory, f"{certificate}\n{key}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
