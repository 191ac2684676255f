"""Lambda's API on a loopback port over an API in memory, with the real boto3 as its client."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import ClientError

from grandstand.client import Client
from grandstand.clock import SystemClock
from grandstand.functions import readiness
from grandstand.functions.artefacts import Artefacts
from grandstand.functions.lambda_api import Auth, LogEvent, Settings, build
from grandstand.functions.lambda_api.fake import FakeInvoker, FakeLogs
from grandstand.functions.queues.fake import FakeQueues
from grandstand.functions.queues.ports import Queues
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.recorder import Recorder
from grandstand.reconcile.runner import Runner

KEY, SECRET = "AKIAGRANDSTAND", "a-secret-of-tests"
ROLE = "arn:aws:iam::000000000000:role/worker"
GROUP = "/aws/lambda/hello"
HANDLER = "def handler(event, context):\n    return event\n"


def code(text: str = HANDLER, name: str = "app.py", mode: int = 0o644) -> bytes:
    """A zip with one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o100000 | mode) << 16
        archive.writestr(info, text)
    return stream.getvalue()


@cache
def _boto(address: str, service: str, secret: str, key: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, parameter_validation=False),
    )


@dataclass(frozen=True)
class World:
    """The port, and what is behind it."""

    address: str
    client: Client
    invoker: FakeInvoker
    logs: FakeLogs
    artefacts: Artefacts
    queues: Queues

    def boto(self, service: str = "lambda", secret: str = SECRET, key: str = KEY) -> Any:
        return _boto(self.address, service, secret, key)

    async def call(self, operation: str, service: str = "lambda", **arguments: Any) -> Any:
        """boto3 blocks, and the port is in this very thread."""
        return await asyncio.to_thread(getattr(self.boto(service), operation), **arguments)

    async def error(self, operation: str, service: str = "lambda", **arguments: Any) -> tuple[int, str, str]:
        """Status, name and message of the error that a call must give."""
        try:
            await self.call(operation, service, **arguments)
        except ClientError as error:
            answer = error.response
            return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
        raise AssertionError(f"{operation} was answered without an error")

    async def make(self, name: str = "hello", **fields: Any) -> Any:
        return await self.call("create_function", **function(name, **fields))

    async def wait(self, waiter: str, **arguments: Any) -> None:
        wait = self.boto().get_waiter(waiter).wait
        await asyncio.to_thread(wait, WaiterConfig={"Delay": 0, "MaxAttempts": 400}, **arguments)

    async def pages(
        self, operation: str, key: str, size: int = 2, service: str = "lambda", **arguments: Any
    ) -> list[Any]:
        paginator = self.boto(service).get_paginator(operation)

        def read() -> list[Any]:
            pages = list(paginator.paginate(PaginationConfig={"PageSize": size}, **arguments))
            assert all(len(page[key]) <= size for page in pages)
            return [item for page in pages for item in page[key]]

        return await asyncio.to_thread(read)


def function(name: str = "hello", **fields: Any) -> dict[str, Any]:
    """The arguments of create_function."""
    given: dict[str, Any] = {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": code()},
    }
    return {key: value for key, value in (given | fields).items() if value is not None}


@asynccontextmanager
async def running(
    client: Client,
    data: Path,
    *,
    required: bool = True,
    loopback: bool = True,
    ready: bool = True,
    queues: Queues | None = None,
) -> AsyncIterator[World]:
    """The port, served; and, if `ready`, the controller that says when a function can be invoked."""
    clock, caches = SystemClock(), Caches(client, SystemClock())
    artefacts = Artefacts(data / "code", clock)
    invoker, logs = FakeInvoker(), FakeLogs({GROUP: events()})
    settings, queues = Settings(loopback=loopback), queues or FakeQueues(clock)
    application = build(client, invoker, artefacts, Auth({KEY: SECRET}, required), logs, settings, clock, queues)
    server = web.AppRunner(application)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    port = server.addresses[0][1]
    controllers = [readiness.controller(caches, artefacts.has)] if ready else []
    runner = Runner(controllers, client, caches, Recorder(client, "test", clock), clock)
    task = asyncio.create_task(runner.run())
    try:
        yield World(f"http://127.0.0.1:{port}", client, invoker, logs, artefacts, queues)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.cleanup()


def events() -> list[LogEvent]:
    """What two streams of the function hello hold: 25 lines, a second apart."""
    return [
        LogEvent(
            1_800_000_000_000 + number * 1000,
            f"line {number} {'ERROR' if number % 5 == 0 else 'fine'}",
            "2026/12/04/[$LATEST]a" if number < 20 else "2026/12/04/[$LATEST]b",
            1_800_000_000_001,
        )
        for number in range(25)
    ]
