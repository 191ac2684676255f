"""Streams over HTTP, WebSockets and SPDY, with a node that only pretends: what clients see, byte by byte."""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from api_server_world import pod, running, token_of, trust

from grandstand.api.streams.sessions import StreamOptions
from grandstand.api.streams.spdy.frames import FrameBuffer, Kind, control_frame, data_frame
from grandstand.api.streams.spdy.headers import HeaderReader, HeaderWriter
from grandstand.errors import NotFound, PortUnreachable, RuntimeFailure

pytestmark = pytest.mark.asyncio(loop_scope="module")

V5, V4, BASE64 = "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
PATH = "/api/v1/namespaces/default/pods/p"
PINGS = control_frame(Kind.PING, b"\0\0\0\1")


class Echo:
    """A command that gives back what it gets, in capitals; `exit N` ends it, and so does the end of its input."""

    def __init__(self, options: StreamOptions):
        self.options = options
        self.said: asyncio.Queue = asyncio.Queue()
        self.sizes = []
        self.exit = 0
        self.over = asyncio.Event()
        if options.command[:1] == ("fail",):
            self.said.put_nowait(None)
        elif not options.stdin:
            self.said.put_nowait((1, " ".join(options.command).encode()))
            self.said.put_nowait((2, b"oops"))
            self.said.put_nowait(None)
            self.exit = 3

    async def read(self):
        return await self.said.get()

    async def code(self):
        if self.options.command[:1] == ("fail",):
            raise RuntimeFailure("the runtime is out of order")
        return self.exit

    async def write(self, data):
        if data.startswith(b"exit "):
            self.exit = int(data[5:])
            self.said.put_nowait(None)
        else:
            self.said.put_nowait((1, data.upper()))

    def end_input(self):
        self.said.put_nowait(None)

    def resize(self, columns, rows):
        self.said.put_nowait((1, f"{columns}x{rows}".encode()))


class EchoConnection:
    def __init__(self):
        self.said: asyncio.Queue = asyncio.Queue()
        self.closed = False

    async def read(self):
        return await self.said.get()

    async def write(self, data):
        self.said.put_nowait(data.upper())
        return True

    def end_input(self):
        self.said.put_nowait(b"")

    def close(self):
        self.closed = True


class PretendStreams:
    def __init__(self):
        self.sessions: list[Echo] = []
        self.connections: list[EchoConnection] = []

    @asynccontextmanager
    async def execute(self, namespace, name, options) -> AsyncIterator[Echo]:
        if options.container == "missing":
            raise NotFound('container not found ("missing")')
        session = Echo(options)
        self.sessions.append(session)
        try:
            yield session
        finally:
            session.over.set()

    attach = execute

    def pod_networks(self, namespace, name):
        return

    async def connect(self, namespace, name, port):
        if port == 9:
            raise PortUnreachable("Connection refused")
        self.connections.append(EchoConnection())
        return self.connections[-1]

    async def settled(self):
        return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        await world.ask("POST", "/api/v1/namespaces/default/pods", pod("p"), expect=201)
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def streams(world):
    streams = PretendStreams()
    world.server.open_streams_with(streams)
    return streams


def connect(world, query, *protocols):
    return world.session.ws_connect(f"{PATH}/{query}", protocols=protocols)


async def messages(socket):
    """All that comes until the server closes; without the first one, which is empty."""
    found = [message.data async for message in socket]
    assert len(found[0]) == 1
    return found[1:]


class TestSessions:
    @pytest.mark.parametrize("protocol", [V5, V4])
    async def test_output_and_exit_code(self, world, streams, protocol):
        async with connect(world, "exec?command=ls&command=-l&stdout=1&stderr=1", protocol) as socket:
            assert socket.protocol == protocol
            out, err, end = await messages(socket)
        assert (out, err) == (b"\x01ls -l", b"\x02oops")
        status = json.loads(end[1:])
        assert (end[0], status["reason"], status["details"]["causes"][0]["message"]) == (3, "NonZeroExitCode", "3")

    async def test_base64(self, world, streams):
        async with connect(world, "exec?command=cat&stdin=1&stdout=1", BASE64) as socket:
            await socket.send_str("0aGk=")
            await socket.send_str("0ZXhpdCAw")
            said, end = await messages(socket)
        assert (said, end[0]) == ("1SEk=", "3")

    async def test_a_message_that_is_no_base64_ends_the_session(self, world, streams):
        async with connect(world, "exec?command=cat&stdin=1&stdout=1", BASE64) as socket:
            await socket.send_str("what?")
            (end,) = await messages(socket)
        assert end[0] == "3"
        await asyncio.wait_for(streams.sessions[0].over.wait(), 5)

    async def test_input_ends_alone_since_v5(self, world, streams):
        async with connect(world, "exec?command=cat&stdin=1&stdout=1", V5) as socket:
            await socket.send_bytes(b"\x00one")
            await socket.send_bytes(b"\xff\x00")
            said, end = await messages(socket)
        assert (said, json.loads(end[1:])["status"]) == (b"\x01ONE", "Success")

    async def test_what_v4_does_not_know_is_ignored(self, world, streams):
        async with connect(world, "exec?command=cat&stdin=1&stdout=1", V4) as socket:
            for message in (b"\xff\x00", b"\x07x", b"", b"\x01not yours", b'\x04{"Width":1,"Height":1}', b"\x00exit 0"):
                await socket.send_bytes(message)
            (end,) = await messages(socket)
        assert json.loads(end[1:])["status"] == "Success"

    async def test_a_terminal_is_resized(self, world, streams):
        async with connect(world, "exec?command=sh&stdin=1&stdout=1&stderr=1&tty=1", V5) as socket:
            await socket.send_bytes(b'\x04{"Width":80,"Height":24}')
            await socket.send_bytes(b"\x04nonsense")
            await socket.send_bytes(b"\x00exit 0")
            said, _ = await messages(socket)
        assert said == b"\x0180x24"
        assert (streams.sessions[0].options.tty, streams.sessions[0].options.stderr) == (True, False)

    async def test_what_cannot_be_run(self, world, streams):
        async with connect(world, "exec?command=fail&stdout=1", V5) as socket:
            (end,) = await messages(socket)
        status = json.loads(end[1:])
        assert (status["reason"], status["code"]) == ("InternalError", 502)
        assert "error executing command in container: the runtime is out of order" in status["message"]

    async def test_a_client_that_goes_away_ends_the_session(self, world, streams):
        async with connect(world, "exec?command=cat&stdin=1&stdout=1", V5) as socket:
            await socket.receive()
        await asyncio.wait_for(streams.sessions[0].over.wait(), 5)
        socket = await connect(world, "exec?command=cat&stdin=1&stdout=1", V5)
        await socket.receive()
        socket._response.connection.transport.abort()
        await asyncio.wait_for(streams.sessions[1].over.wait(), 5)

    @pytest.mark.parametrize(
        ("query", "protocols", "code"),
        [
            ("exec?stdout=1", [V5], 400),
            ("exec?command=ls", [V5], 400),
            ("exec?command=ls&stdout=1", ["v9.channel.k8s.io"], 400),
            ("exec?command=ls&stdout=1&container=missing", [V5], 404),
            ("portforward", [V4], 400),
            ("portforward?ports=70000", [V4], 400),
            ("portforward?ports=80,x", [V4], 400),
        ],
    )
    async def test_what_is_refused_is_an_answer_of_http(self, world, streams, query, protocols, code):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await connect(world, query, *protocols)
        assert refused.value.status == code

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("query", ["exec?command=ls&stdout=1", "attach?stdout=1", "portforward"])
    async def test_without_an_upgrade(self, world, streams, method, query):
        _, status = await world.ask(method, f"{PATH}/{query}", expect=400)
        assert "Upgrade request required" in status["message"]

    async def test_nobody_gets_in_without_a_credential(self, world, streams):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust(world.engine))) as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(
                    f"https://127.0.0.1:{world.server.port}{PATH}/exec?command=ls&stdout=1", protocols=[V5]
                )
        assert (refused.value.status, streams.sessions) == (401, [])


async def test_discovery_lists_the_subresources(world):
    _, found = await world.ask("GET", "/api/v1", expect=200)
    verbs = {resource["name"]: resource["verbs"] for resource in found["resources"]}
    assert [verbs[f"pods/{name}"] for name in ("exec", "attach", "portforward")] == [["create", "get"]] * 3


class TestPortChannels:
    async def test_two_ports(self, world, streams):
        async with connect(world, "portforward?ports=80&ports=9,81", V4) as socket:
            first = [(await socket.receive()).data for _ in range(6)]
            assert first == [bytes((n,)) + struct.pack("<H", port) for n, port in enumerate((80, 80, 9, 9, 81, 81))]
            assert (await socket.receive()).data == b"\x03Connection refused"
            await socket.send_bytes(b"\x04hello")
            await socket.send_bytes(b"\x01not yours")
            await socket.send_bytes(b"\x09nobody's")
            assert (await socket.receive()).data == b"\x04HELLO"
        async with asyncio.timeout(5):
            while not all(connection.closed for connection in streams.connections):
                await asyncio.sleep(0)
        assert len(streams.connections) == 2

    async def test_the_end_of_all_connections_is_that_of_the_socket(self, world, streams):
        async with connect(world, "portforward?ports=9", V4) as socket:
            found = [message.data async for message in socket]
        assert found[2:] == [b"\x01Connection refused"]


class SpdyClient:
    """A client's side of SPDY, on whatever carries it."""

    def __init__(self, send, receive):
        self.send, self._receive = send, receive
        self._frames, self._waiting = FrameBuffer(), []
        self._writer, self._reader = HeaderWriter(), HeaderReader()

    async def open(self, stream, **headers):
        block = self._writer.block(headers)
        await self.send(control_frame(Kind.SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + block))

    async def frame(self):
        """The next frame as (kind or stream, payload, flags)."""
        while not self._waiting:
            self._waiting += self._frames.take(await asyncio.wait_for(self._receive(), 5))
        frame = self._waiting.pop(0)
        return (frame.kind or f"data {frame.stream}", frame.payload, frame.flags)


async def forward(client):
    """Open a connection to port 80 and one to port 9, and see what comes."""
    await client.open(1, streamtype="error", port="80", requestid="0")
    await client.open(3, streamtype="data", port="80", requestid="0")
    assert [(await client.frame())[0] for _ in range(2)] == [Kind.SYN_REPLY] * 2
    await client.send(data_frame(3, b"hello"))
    assert await client.frame() == ("data 3", b"HELLO", 0)
    await client.send(PINGS)
    assert (await client.frame())[:2] == (Kind.PING, b"\0\0\0\1")
    await client.open(5, streamtype="error", port="9", requestid="1")
    await client.open(7, streamtype="data", port="9", requestid="1")
    assert [(await client.frame())[0] for _ in range(2)] == [Kind.SYN_REPLY] * 2
    assert [await client.frame() for _ in range(2)] == [("data 5", b"Connection refused", 1), ("data 7", b"", 1)]
    await client.send(data_frame(3, b"", fin=True))
    assert [await client.frame() for _ in range(2)] == [("data 1", b"", 1), ("data 3", b"", 1)]


class TestSpdy:
    async def test_forwarding_in_a_websocket(self, world, streams):
        async with connect(world, "portforward", TUNNEL) as socket:
            await forward(SpdyClient(socket.send_bytes, socket.receive_bytes))

    async def test_forwarding_after_an_upgrade(self, world, streams):
        async with upgraded(world, f"{PATH}/portforward", "portforward.k8s.io") as client:
            await forward(client)

    async def test_streams_that_make_no_sense_are_reset(self, world, streams):
        async with connect(world, "portforward", TUNNEL) as socket:
            client = SpdyClient(socket.send_bytes, socket.receive_bytes)
            for stream, headers in (
                (1, {"streamtype": "data", "port": "80", "requestid": "5"}),
                (3, {"streamtype": "error", "port": "70000", "requestid": "0"}),
                (5, {"streamtype": "other", "port": "80", "requestid": "0"}),
            ):
                await client.open(stream, **headers)
            found = [await client.frame() for _ in range(4)]
        resets = [struct.unpack(">II", payload) for kind, payload, _ in found if kind == Kind.RST_STREAM]
        assert resets == [(1, 1), (3, 3), (5, 3)]

    async def test_a_reset_closes_the_connection(self, world, streams):
        async with connect(world, "portforward", TUNNEL) as socket:
            client = SpdyClient(socket.send_bytes, socket.receive_bytes)
            await client.open(1, streamtype="error", port="80", requestid="0")
            await client.open(3, streamtype="data", port="80", requestid="0")
            await client.send(data_frame(3, b"x"))
            await client.send(control_frame(Kind.RST_STREAM, struct.pack(">II", 3, 5)))
            assert ("data 1", b"", 1) in [await client.frame() for _ in range(4)]
        assert streams.connections == [] or streams.connections[0].closed

    async def test_what_is_no_spdy_ends_the_connection(self, world, streams):
        async with connect(world, "portforward", TUNNEL) as socket:
            await socket.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            client = SpdyClient(socket.send_bytes, socket.receive_bytes)
            assert (await client.frame())[0] == Kind.GOAWAY
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    async def test_a_session_after_an_upgrade(self, world, streams):
        path = f"{PATH}/exec?command=cat&stdin=1&stdout=1"
        async with upgraded(world, path, V4) as client:
            for stream, name in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")):
                await client.open(stream, streamtype=name)
            found = [await client.frame() for _ in range(4)]
            assert [kind for kind, _, _ in found] == [Kind.SYN_REPLY] * 3 + [Kind.RST_STREAM]
            await client.send(data_frame(3, b"hello"))
            assert await client.frame() == ("data 5", b"HELLO", 0)
            await client.send(data_frame(3, b"", fin=True))
            kind, status, flags = await client.frame()
            assert (kind, json.loads(status)["status"], flags) == ("data 1", "Success", 1)
            assert await client.frame() == ("data 5", b"", 1)
            assert (await client.frame())[0] == Kind.GOAWAY


@asynccontextmanager
async def upgraded(world, path, protocol):
    """A connection whose protocol has been changed to SPDY, as Go's clients of before 1.31 do it."""
    context: ssl.SSLContext = trust(world.engine)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port, ssl=context)
    try:
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token_of(world.engine)}\r\n"
            f"Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().lower()
        assert head.startswith("http/1.1 101 ")
        assert f"x-stream-protocol-version: {protocol}\r\n" in head
        assert "upgrade: spdy/3.1\r\n" in head

        async def send(data):
            writer.write(data)
            await writer.drain()

        yield SpdyClient(send, lambda: reader.read(65536))
    finally:
        writer.transport.abort()
