"""A kopf operator, in a process of its own, against the API server: it must come to rest after what it has done."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from api_request_log import recorded
from api_server_world import config_map, deployment, running

from grandstand.client import EventType
from grandstand.kinds.resources import CONFIG_MAPS, DEPLOYMENTS, EVENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCHED = {"watched": "yes"}
SEEN = "example.com/seen"
HANDLED = "kopf.zalando.org/last-handled-configuration"
REST_SECONDS = 2
"""Nothing may happen for so long: a loop of writes takes some milliseconds a round."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with running(tmp_path_factory.mktemp("api")) as world:
        yield world


@asynccontextmanager
async def operating(world, namespace: str, home: Path):
    log = home / "kopf.log"
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "KUBECONFIG": str(world.engine.kubeconfig)}
    arguments = ("-m", "kopf", "run", "--standalone", "--namespace", namespace)
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, str(Path(__file__).with_name("kopf_operator.py")), env=environment, stderr=said
        )
        try:
            yield log
        finally:
            process.terminate()
            await process.wait()


async def until(world, resource, namespace: str, true) -> dict:
    """The first object for which something is true, from what is there on."""
    watch = world.client.watch(resource, namespace)
    async with asyncio.timeout(30):
        async for event in watch:
            if true(event):
                await watch.aclose()
                return event.object
    raise AssertionError("a watch in process does not end")


async def gone(world, namespace: str, version: str) -> None:
    """Return when a ConfigMap was deleted after a version."""
    watch = world.client.watch(CONFIG_MAPS, namespace, resource_version=version)
    async with asyncio.timeout(30):
        async for event in watch:
            if event.type is EventType.DELETED:
                await watch.aclose()
                return


def seen(value: str):
    return lambda event: event.object["metadata"].get("annotations", {}).get(SEEN) == value


async def test_an_operator_does_its_work_and_rests(world, tmp_path):
    namespace, client = await world.namespace(), world.client
    with recorded() as asked:
        async with operating(world, namespace, tmp_path) as log:
            await client.create(CONFIG_MAPS, config_map("c", labels=WATCHED), namespace=namespace)
            await until(world, CONFIG_MAPS, namespace, seen("created"))
            await client.patch(CONFIG_MAPS, namespace, "c", {"data": {"a": "2"}})
            changed = await until(world, CONFIG_MAPS, namespace, seen("2"))
            assert changed["metadata"]["finalizers"], "kopf holds what it wants to say farewell to"
            made = deployment("web", namespace=namespace)
            made["metadata"] |= {"namespace": namespace, "labels": WATCHED}
            await client.create(DEPLOYMENTS, made)
            handled = await until(
                world,
                DEPLOYMENTS,
                namespace,
                lambda event: HANDLED in event.object["metadata"].get("annotations", {}),
            )
            assert "measure" not in handled["status"]

            async with asyncio.timeout(30):
                await asked.until(lambda entry: entry.path.endswith("/deployments/web/status"))

            version = (await client.list(DEPLOYMENTS)).resource_version
            writes = len(asked.writes())
            for resource in (CONFIG_MAPS, DEPLOYMENTS):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(REST_SECONDS / 2):
                        await anext(client.watch(resource, namespace, resource_version=version))
            assert asked.writes()[writes:] == [], "kopf goes on writing"

            await client.delete(CONFIG_MAPS, namespace, "c")
            await until(world, EVENTS, namespace, lambda event: event.object["reason"] == "Left")
            await gone(world, namespace, version)
        assert len([entry for entry in asked.writes() if entry.method == "PATCH"]) <= 10, log.read_text()
        assert asked.refused() == [], log.read_text()
