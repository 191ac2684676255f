"""Serve Lambda's API on a port: with this engine's code and access key, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.errors import BadRequest
from grandstand.functions.access_keys import load_or_make
from grandstand.functions.artefacts import Artefacts
from grandstand.functions.queues.ports import Queues

from .app import DEFAULT_SETTINGS, build
from .ports import Auth, Invoker, Logs, Settings

CLOSING_SECONDS = 5.0
"""How long answers that have begun may take when the port is closed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API is found, and whether requests must be signed. Port 0: one that is free."""

    host: str = "127.0.0.1"
    port: int = 0
    signed: bool = True


def key_path(data: Path) -> Path:
    """Where the access key of an engine lies."""
    return data / "functions" / "access-key.json"


def code_path(data: Path) -> Path:
    """Where the code of an engine's functions lies."""
    return data / "functions" / "code"


@asynccontextmanager
async def serving(
    place: Place,
    data: Path,
    client: Client,
    invoker: Invoker,
    logs: Logs,
    artefacts: Artefacts,
    clock: Clock,
    settings: Settings = DEFAULT_SETTINGS,
    queues: Queues | None = None,
) -> AsyncIterator[int]:
    """The port that is served. Raises BadRequest where anybody could deploy code, OSError for a port that is taken.

    Nothing writes an access log: addresses of code carry signatures.
    """
    loopback = ip_address(place.host).is_loopback
    if not place.signed and not loopback:
        raise BadRequest(
            f"Lambda's API on {place.host} would let in whoever reaches it: "
            "leave out --lambda-auth none, or use 127.0.0.1"
        )
    key = load_or_make(key_path(data), clock)
    auth = Auth({key.access_key_id: key.secret}, required=place.signed)
    application = build(client, invoker, artefacts, auth, logs, replace(settings, loopback=loopback), clock, queues)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, place.host, place.port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
