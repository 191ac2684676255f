"""Probes and hooks against real servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from grandstand.errors import ExecTimeout
from grandstand.kinds import Container, Object, Probe, view
from grandstand.node.checks import Outcome, Target, check, port_number


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[tuple[int, list[str]]]:
    """Answers every connection with the same bytes, and remembers what it was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer)
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1], asked


def target(port: int, code: int = 0) -> Target:
    async def run(args: tuple[str, ...], seconds: float) -> tuple[int, bytes]:
        if args == ("hang",):
            raise ExecTimeout
        return code, b"said"

    container = view(Container, {"name": "c", "ports": [{"name": "web", "containerPort": port}]})
    return Target(container, "127.0.0.1", run)


async def ask(handler: Object, port: int, code: int = 0, seconds: float = 2) -> Outcome:
    return await check(view(Probe, handler), target(port, code), seconds)


@pytest.mark.parametrize(
    ("answer", "success"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 399 Odd\r\n\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        (b"HTTP/1.1 500 No\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n", True),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False),
        (b"", False),
    ],
    ids=["ok", "below 400", "not found", "error", "redirect to another host", "no http", "closed"],
)
async def test_http(answer: bytes, success: bool) -> None:
    async with server(answer) as (port, _):
        assert (await ask({"httpGet": {"port": "web", "path": "x"}}, port)).success is success


async def test_http_says_who_asks_and_takes_headers() -> None:
    headers = [{"name": "Host", "value": "shop.example"}, {"name": "X-One", "value": "1"}]
    async with server(b"HTTP/1.1 200 OK\r\n\r\n") as (port, asked):
        await ask({"httpGet": {"port": port, "path": "/a?b=c", "httpHeaders": headers}}, port)
    lines = asked[0].split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert {"Host: shop.example", "X-One: 1", "Connection: close"} <= set(lines)
    assert any(line.startswith("User-Agent: kube-probe/") for line in lines)


async def test_a_redirect_to_the_same_host_is_followed_and_an_endless_one_is_a_failure() -> None:
    async with server(b"HTTP/1.1 301 Moved\r\nLocation: /again\r\n\r\n") as (port, asked):
        outcome = await ask({"httpGet": {"port": port}}, port)
    assert (outcome.success, len(asked)) == (False, 10)


async def test_tcp() -> None:
    async with server(b"") as (port, _):
        assert (await ask({"tcpSocket": {"port": port}}, port)).success
    outcome = await ask({"tcpSocket": {"port": port}}, port)
    assert not outcome.success
    assert str(port) in outcome.message


async def test_a_server_that_says_nothing_is_not_waited_for_longer_than_the_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    running = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with running:
        port = running.sockets[0].getsockname()[1]
        outcome = await ask({"httpGet": {"port": port}}, port, seconds=0.05)
    assert not outcome.success
    assert "deadline exceeded" in outcome.message


@pytest.mark.parametrize(("command", "code", "success"), [(["ok"], 0, True), (["no"], 3, False), (["hang"], 0, False)])
async def test_exec(command: list[str], code: int, success: bool) -> None:
    assert (await ask({"exec": {"command": command}}, 1, code)).success is success


@pytest.mark.parametrize("port", ["none", 0, 70000])
def test_ports_that_are_none(port: int | str) -> None:
    with pytest.raises(ValueError, match="port"):
        port_number(port, target(80).container)
