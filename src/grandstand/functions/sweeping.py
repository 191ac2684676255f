"""Remove code that no Function, version or layer names any longer, now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.errors import GrandstandError
from grandstand.kinds import Object
from grandstand.kinds.resources import FUNCTION_LAYERS, FUNCTION_VERSIONS, FUNCTIONS

from .artefacts import Artefacts

log = logging.getLogger(__name__)

PERIOD_SECONDS = 3600.0


def named(objects: Iterable[Object]) -> list[tuple[str, ...]]:
    """What each object names: its code, then its layers in order."""
    specs = [obj["spec"] for obj in objects]
    found = [
        ((spec.get("code") or {}).get("sha256"), *(layer["sha256"] for layer in spec.get("layers") or []))
        for spec in specs
    ]
    return [tuple(digests) for digests in found if digests[0]]


async def sweep(client: Client, artefacts: Artefacts) -> list[str]:
    """Remove what nobody names in any namespace; gives the names of what went. Raises what the client raises."""
    objects = [
        obj
        for resource in (FUNCTIONS, FUNCTION_VERSIONS, FUNCTION_LAYERS)
        for obj in (await client.list(resource)).items
    ]
    return await asyncio.to_thread(artefacts.collect, named(objects))


async def run(client: Client, artefacts: Artefacts, clock: Clock) -> None:
    """Never returns by itself: cancel it. Code may lie here unnamed for an hour: nothing waits for its room."""
    while True:
        await clock.sleep(PERIOD_SECONDS)
        try:
            gone = await sweep(client, artefacts)
        except (GrandstandError, OSError) as error:
            log.warning("Code of functions could not be swept: %s", error)
        else:
            log.info("Removed %d artefacts that nobody names.", len(gone))
