"""The connection to HAProxy's master may end at any moment: after each reload it does."""

import asyncio

import pytest
import uvloop

from grandstand.errors import GatewayFailure
from grandstand.gateway.haproxy.master import PROMPT, SOCKET, Master

WORKERS = b"# workers\n42 worker\n\n" + PROMPT


async def ask_twice(directory):
    """HAProxy ends the first connection before it has answered, as one does that is just replacing itself."""
    first = True

    async def serve(reader, writer):
        nonlocal first
        await reader.readline()  # prompt
        if not first:
            writer.write(PROMPT)
            await reader.readline()
            writer.write(WORKERS)
        first = False
        writer.close()

    server = await asyncio.start_unix_server(serve, directory / SOCKET)
    master = Master(directory)
    async with server:
        with pytest.raises(GatewayFailure, match="does not answer"):
            await master.workers()
        assert (await master.workers()).current == 42
        master.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_closed_connection_is_a_failure_that_can_be_tried_again(run, tmp_path):
    run(ask_twice(tmp_path))
