"""Clients that connect and say nothing, half of something, or too often."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from grandstand.api.connections import BoundedServer

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text="ok")

    runner = web.ServerRunner(BoundedServer(answer, most_connections=3, idle_seconds=0.2, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", HEAD + b"Half: h", HEAD + b"\r\n" + HEAD],
    ids=["silent", "half a line", "half a head", "half of the second"],
)
async def test_who_does_not_say_what_it_wants_is_disconnected(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_connections_beyond_the_limit_are_closed_and_make_room_again(port: int) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    refused, _ = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(refused.read(), 5) == b""
    assert not any(reader.at_eof() for reader, _ in opened)
    for reader, _ in opened:
        await asyncio.wait_for(reader.read(), 5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Connection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_what_is_no_http_leaves_no_word_in_the_log(port: int, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Authorization: Bearer token\r\n broken\r\nContent-Length: a\r\n\r\n")
    assert b" 400 " in await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert caplog.records == []
