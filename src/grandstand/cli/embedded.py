"""Wire the parts of an engine together: API, controllers, node and gateway in one process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from grandstand.api.server import ApiServer
from grandstand.api.store import Store
from grandstand.client import Client
from grandstand.client.fake import FakeClient
from grandstand.clock import Clock, SystemClock
from grandstand.controllers import all_controllers
from grandstand.controllers.horizontal_pod_autoscaler import Reader
from grandstand.engine import Engine
from grandstand.functions import readiness, sweeping
from grandstand.functions.artefacts import Artefacts
from grandstand.functions.lambda_api.serving import code_path
from grandstand.functions.machine_runtimes import machine_runtimes
from grandstand.functions.sandboxes import Sandboxes
from grandstand.functions.serving import functions
from grandstand.gateway import Gateway, destroy_gateway
from grandstand.kinds.resources import ENDPOINT_SLICES, FUNCTION_VERSIONS, PODS, SERVICES
from grandstand.node.agent import Agent
from grandstand.node.composition import real_parts
from grandstand.node.dns import name_server
from grandstand.node.logs import NodeLogs
from grandstand.node.network import Network, ServiceRules
from grandstand.node.node_status import NodeKeeper
from grandstand.node.removal import remove_everything
from grandstand.node.runtime import detect
from grandstand.node.streams import NodeStreams
from grandstand.node.usage import UsageMeter
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.recorder import Recorder
from grandstand.reconcile.runner import Runner

from .composition import DEFAULTS, Options

log = logging.getLogger(__name__)

EVENTS_LINGER_SECONDS = 0.15
"""A Pod that starts is ready 10 ms sooner (of 100) when its events are written after it."""

Start = Callable[[Coroutine[Any, Any, None]], None]
"""Starts a task in the background."""


async def serve(engine: Engine, ready: Callable[[], None], options: Options) -> None:
    """Run an engine until SIGTERM or SIGINT; containers and gateway go on after it. Calls `ready` when all is up."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(engine, options):
        _spare_the_collector()
        log.info("the engine %s is up", engine.id)
        ready()
        await stop.wait()
        log.info("the engine %s stops; containers and gateway go on", engine.id)


def _spare_the_collector() -> None:
    """Leave what lives as long as the engine out of garbage collection, and collect more rarely.

    Decoding 1,000 Pods took 341 ms with Python's settings, 152 ms with frozen modules, 45 ms without collecting.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@contextlib.asynccontextmanager
async def running(engine: Engine, options: Options = DEFAULTS) -> AsyncIterator[Client]:
    """An engine that is up, for as long as the context lasts. A part that fails for good ends it with its error."""
    clock = SystemClock()
    store = Store(engine.database, clock=clock)
    api = ApiServer(engine, store, clock=clock)
    network = Network(engine)
    async with contextlib.AsyncExitStack() as stack:
        await store.open()
        stack.push_async_callback(store.close)
        await api.start()
        stack.push_async_callback(api.stop)
        await network.start()
        stack.push_async_callback(network.close)
        background = await stack.enter_async_context(_background())
        await _start_parts(engine, api, network, clock, options, background, stack)
        yield api.client


async def _start_parts(
    engine: Engine,
    api: ApiServer,
    network: Network,
    clock: Clock,
    options: Options,
    background: Start,
    stack: contextlib.AsyncExitStack,
) -> None:
    client = api.client
    events = Recorder(client, "grandstand-node", clock, linger_seconds=EVENTS_LINGER_SECONDS)
    recorder = Recorder(client, "grandstand", clock, linger_seconds=EVENTS_LINGER_SECONDS)
    gateway = Gateway(engine, client, clock=clock, recorder=recorder)
    oci = await asyncio.to_thread(detect)
    for warning in oci.warnings:
        log.warning("%s", warning)
    parts = real_parts(engine, client, network, events, clock, gateway.drain, oci)
    keeper = NodeKeeper(engine, client, clock, f"{oci.name}://{oci.version}")
    agent = Agent(parts)
    api.read_logs_with(NodeLogs(agent.pod))
    api.open_streams_with(NodeStreams(agent.pod))
    await keeper.register()
    background(events.run())
    background(keeper.run())

    caches = Caches(client, clock)
    usage = UsageMeter(agent.running, parts.cgroups.spent, clock)
    api.show_measurements(usage)
    for exposer in (usage.families, gateway.families):
        api.expose(exposer)
    reader = Reader(usage, gateway.traffic)
    controllers = all_controllers(
        client, caches, reader, root_ca=api.root_ca, autoscaler_period_seconds=options.autoscaler_period_seconds
    )
    artefacts = Artefacts(code_path(engine.data), clock)
    runtimes = await asyncio.to_thread(machine_runtimes)
    code_there = readiness.controller(caches, artefacts.has, [runtime.name for runtime in runtimes])
    caches.informer(FUNCTION_VERSIONS)
    runner = Runner([*controllers, code_there], client, caches, recorder, clock)
    api.expose(runner.families)
    services, slices, pods = (caches.informer(resource) for resource in (SERVICES, ENDPOINT_SLICES, PODS))
    background(recorder.run())
    background(runner.run())
    background(ServiceRules(network.table, services, slices, clock=clock).run())

    await gateway.start()
    stack.push_async_callback(gateway.stop)
    await runner.synced()
    names = name_server(engine, services, slices, pods, clock=clock)
    await names.start()
    stack.push_async_callback(names.stop)
    await agent.start()
    background(usage.run())
    stack.push_async_callback(agent.stop)
    background(sweeping.run(client, artefacts, clock))
    await stack.enter_async_context(
        functions(
            *(engine, client, caches, network, clock, artefacts, runtimes),
            haproxy_root=gateway.workers_root,
            signed=options.lambda_signed,
        )
    )


@contextlib.asynccontextmanager
async def _background() -> AsyncIterator[Start]:
    """Start tasks that run until the end of the context. When one fails, the context is cancelled with its error."""
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        try:
            yield lambda work: tasks.append(group.create_task(work))
        finally:
            for task in tasks:
                task.cancel()


async def remove_all(engine: Engine) -> None:
    """End every container of an engine, and remove what it made on the machine. Needs no running engine."""
    clock = SystemClock()
    network = Network(engine)
    await network.start()
    nobody = FakeClient(clock=clock)  # containers end without the API: nothing is asked, and nobody told
    gateway = Gateway(engine, nobody, clock=clock)
    parts = real_parts(engine, nobody, network, Recorder(nobody, "grandstand-node", clock), clock, gateway.drain)
    await remove_everything(parts)
    await Sandboxes(engine, (), gateway.workers_root, network=network, clock=clock).recover()
    await destroy_gateway(engine)
    await network.destroy()
