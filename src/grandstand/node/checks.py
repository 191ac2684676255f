"""Do once what a probe or a lifecycle hook asks for: an HTTP request, a connection, a command."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from grandstand.errors import GrandstandError
from grandstand.kinds import Container
from grandstand.kinds.pods import ExecAction, Handler, HTTPGetAction, TCPSocketAction

USER_AGENT = "kube-probe/1.37 (grandstand)"
LARGEST_HEAD = 64 * 1024
MOST_REDIRECTS = 10
_TIMEOUT_MESSAGE = "context deadline exceeded (the probe's timeoutSeconds)"

Exec = Callable[[tuple[str, ...], float], Awaitable[tuple[int, bytes]]]
"""Runs a command in the container, for so many seconds at most, and gives its exit code and output."""


@dataclass(frozen=True, slots=True)
class Outcome:
    success: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The container that is checked: its definition, the Pod's address, and how to run a command in it."""

    container: Container
    address: str
    exec: Exec


async def check(handler: Handler, target: Target, timeout_seconds: float) -> Outcome:
    """One attempt. Never raises for what the container does: that is an outcome."""
    try:
        if handler.exec is not None:
            return await _check_exec(handler.exec, target, timeout_seconds)
        async with asyncio.timeout(timeout_seconds):
            if handler.http_get is not None:
                return await _check_http(handler.http_get, target)
            if handler.tcp_socket is not None:
                return await _check_tcp(handler.tcp_socket, target)
    except TimeoutError:
        return Outcome(False, f"{_asked(handler, target)}{_TIMEOUT_MESSAGE}")
    except OSError as error:
        return Outcome(False, f"{_asked(handler, target)}{_plain(error)}")
    except (GrandstandError, ValueError, EOFError) as error:
        return Outcome(False, str(error) or type(error).__name__)
    return Outcome(False, "no supported action: use exec, httpGet or tcpSocket (grpc is not supported)")


def _asked(handler: Handler, target: Target) -> str:
    """What was tried, in the kubelet's words, to stand before what came of it; "" for a command."""
    if (get := handler.http_get) is not None:
        return f'Get "{_url(get, target)}": '
    if (tcp := handler.tcp_socket) is not None:
        return f"dial tcp {tcp.host or target.address}:{port_number(tcp.port, target.container)}: "
    return ""


def _plain(error: OSError) -> str:
    """`connection refused` rather than asyncio's `[Errno 111] Connect call failed (…)`."""
    return os.strerror(error.errno).lower() if error.errno else str(error) or type(error).__name__


async def _check_exec(action: ExecAction, target: Target, timeout_seconds: float) -> Outcome:
    code, output = await target.exec(tuple(action.command), timeout_seconds)
    return Outcome(code == 0, output.decode(errors="replace")[:1024])


async def _check_tcp(action: TCPSocketAction, target: Target) -> Outcome:
    port = port_number(action.port, target.container)
    _, writer = await asyncio.open_connection(action.host or target.address, port)
    writer.transport.abort()
    return Outcome(True)


def port_number(port: int | str, container: Container) -> int:
    """The number of a port that may be given by name. Raises ValueError for a name that the container lacks."""
    if isinstance(port, str) and not port.isdigit():
        found = next((p.container_port for p in container.ports if p.name == port), None)
        if found is None:
            raise ValueError(f"container {container.name!r} has no port named {port!r}")
        return found
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number


async def _check_http(action: HTTPGetAction, target: Target) -> Outcome:
    """Success is any status from 200 to 399; redirects to the same host are followed, to others not."""
    url = _url(action, target)
    headers = {header.name: header.value for header in action.http_headers}
    for _ in range(MOST_REDIRECTS):
        status, location, body = await _get(url, headers)
        if status in (301, 302, 303, 307, 308) and location:
            following = urljoin(url, location)
            if urlsplit(following).hostname != urlsplit(url).hostname:
                return Outcome(True, f"Probe terminated redirects, Response body: {body}")
            url = following
            continue
        if 200 <= status < 400:
            return Outcome(True)
        return Outcome(False, f"HTTP probe failed with statuscode: {status}")
    return Outcome(False, f"stopped after {MOST_REDIRECTS} redirects")


def _url(action: HTTPGetAction, target: Target) -> str:
    """What is asked. Raises ValueError for a port that the container lacks."""
    host = action.host or target.address
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    return f"{action.scheme.lower()}://{host}:{port_number(action.port, target.container)}{path}"


async def _get(url: str, headers: dict[str, str]) -> tuple[int, str, str]:
    """Status, `Location` and the beginning of the body."""
    parts = urlsplit(url)
    context = _unverified() if parts.scheme == "https" else None
    port = parts.port or (443 if context else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context, limit=LARGEST_HEAD)
    try:
        writer.write(_request(parts.netloc, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        body = await reader.read(512) if " 30" in head.partition("\r\n")[0] else b""
    except asyncio.LimitOverrunError as error:
        raise ValueError(f"the answer's head is larger than {LARGEST_HEAD} bytes") from error
    except asyncio.IncompleteReadError as error:
        raise ValueError("EOF: the server closed the connection before it answered") from error
    finally:
        writer.transport.abort()
    return *_parse(head), body.decode(errors="replace")


def _request(host: str, path: str, headers: dict[str, str]) -> bytes:
    given = {name.lower(): value for name, value in headers.items()}
    lines = [f"GET {path} HTTP/1.1", f"Host: {given.pop('host', host)}", "Connection: close"]
    for name, value in {"user-agent": USER_AGENT, "accept": "*/*", **given}.items():
        if value or name not in ("user-agent", "accept"):  # an empty one asks to leave the default out
            lines.append(f"{name.title()}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")


def _parse(head: str) -> tuple[int, str]:
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise ValueError(f"malformed HTTP response {first[:80]!r}")
    fields = (line.partition(":") for line in lines)
    location = next((value.strip() for name, _, value in fields if name.lower() == "location"), "")
    return int(words[1]), location


def _unverified() -> ssl.SSLContext:
    """Probes take any certificate, as the kubelet's do: they ask whether somebody answers, not who."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
