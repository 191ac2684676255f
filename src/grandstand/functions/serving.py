"""Put the parts of Functions together: sandboxes, fleet, door and Lambda's API of one engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.engine import Engine
from grandstand.node.network import Network
from grandstand.reconcile.caches import Caches

from .access_keys import load_or_make
from .artefacts import Artefacts
from .fleet import Fleet
from .fleet.callers import Callers
from .fleet.door import Door
from .fleet.invoking import FleetInvoker
from .fleet.launching import SandboxLauncher
from .lambda_api.ports import Settings
from .lambda_api.serving import Place, key_path, serving
from .log_store import LogStore
from .metering import Metering
from .metering.store import metering_path
from .queues.queues import DurableQueues
from .sandboxes import Runtime, Sandboxes

UNSERVED = {
    "CreateEventSourceMapping": "nobody reads queues yet",
    "UpdateEventSourceMapping": "nobody reads queues yet",
    "PutFunctionEventInvokeConfig": "events are not taken yet (InvocationType Event)",
    "UpdateFunctionEventInvokeConfig": "events are not taken yet (InvocationType Event)",
    "PutProvisionedConcurrencyConfig": "instances start when they are asked for; two spares are always ready",
}
"""What Lambda's API could keep, and nothing here acts on."""

SPARES = 2
"""Of each runtime that a function uses: booted sandboxes that wait for one."""


@dataclass(frozen=True, slots=True)
class Running:
    """`port` is Lambda's."""

    fleet: Fleet
    port: int


@asynccontextmanager
async def functions(
    engine: Engine,
    client: Client,
    caches: Caches,
    network: Network,
    clock: Clock,
    artefacts: Artefacts,
    runtimes: tuple[Runtime, ...],
    *,
    haproxy_root: Path,
    signed: bool,
) -> AsyncIterator[Running]:
    """Functions of an engine whose network is up, for as long as the context lasts. Somebody runs the `caches`.

    Raises OSError for a port that is taken.
    """
    settings = Settings(url_authority=f"lambda-url.localhost:{engine.gateway_port}", unserved=UNSERVED)
    sandboxes = Sandboxes(engine, runtimes, haproxy_root, network=network, clock=clock)
    async with AsyncExitStack() as stack:
        await sandboxes.recover()
        stack.push_async_callback(sandboxes.close)
        logs = LogStore(engine.data / "functions" / "logs")
        metering = Metering(metering_path(engine.data), clock)
        await metering.recover()
        counting = asyncio.create_task(metering.run())
        stack.callback(counting.cancel)
        launcher = SandboxLauncher(sandboxes, artefacts, logs, metering, settings, clock)
        fleet = Fleet(caches, launcher, clock, settings)
        fleet.prepare_with(lambda runtime: sandboxes.prepare(runtime, SPARES))
        fleet.tell_when_served(metering.changed)
        stack.push_async_callback(fleet.close)
        key = load_or_make(key_path(engine.data), clock)
        door = Door(fleet, haproxy_root, Callers({key.access_key_id: key.secret}, settings.account, clock))
        await door.listen()
        stack.push_async_callback(door.close)
        queues = DurableQueues(engine.data / "functions" / "queues.db", clock)
        await queues.open()
        stack.push_async_callback(queues.close)
        place = Place(port=engine.lambda_port, signed=signed)
        invoker = FleetInvoker(fleet)
        port = await stack.enter_async_context(
            serving(place, engine.data, client, invoker, logs, artefacts, clock, settings, queues)
        )
        yield Running(fleet, port)
