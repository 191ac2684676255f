"""Lambda's API as an engine serves it: its own key, its own code, and its port let go."""

from __future__ import annotations

import asyncio
import json
import stat

import boto3
import pytest
from lambda_api_world import function

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.errors import BadRequest
from grandstand.functions.artefacts import Artefacts
from grandstand.functions.lambda_api.fake import FakeInvoker, FakeLogs
from grandstand.functions.lambda_api.serving import Place, code_path, key_path, serving

HERE = Place()


def serve(data, place: Place = HERE):
    clock = SystemClock()
    artefacts = Artefacts(code_path(data), clock)
    return serving(place, data, FakeClient(), FakeInvoker(), FakeLogs(), artefacts, clock)


async def test_the_key_of_the_engine_opens_it_again_and_again(tmp_path):
    for _ in range(2):
        async with serve(tmp_path) as port:
            key = json.loads(key_path(tmp_path).read_text())
            client = boto3.client(
                "lambda",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id=key["access_key_id"],
                aws_secret_access_key=key["secret_access_key"],
            )
            made = await asyncio.to_thread(client.create_function, **function())
            assert made["FunctionName"] == "hello"
    assert stat.S_IMODE(key_path(tmp_path).stat().st_mode) == 0o600
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_everybody_is_let_in_on_loopback_only(tmp_path):
    with pytest.raises(BadRequest, match="leave out --lambda-auth none"):
        async with serve(tmp_path, Place("0.0.0.0", signed=False)):
            pass
    async with serve(tmp_path, Place(signed=False)) as port:
        assert port


async def test_nothing_of_the_key_is_logged(tmp_path, caplog):
    caplog.set_level(0)
    async with serve(tmp_path) as port:
        secret = json.loads(key_path(tmp_path).read_text())["secret_access_key"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /{secret} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 403")
        writer.close()
    assert secret not in caplog.text
