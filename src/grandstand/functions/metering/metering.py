"""Count the pages of an engine's instances into ledgers: when one ends, and every few seconds while some are used."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from pathlib import Path

from grandstand.clock import Clock
from grandstand.errors import GrandstandError
from grandstand.private_files import make_directory

from . import pages, store
from .ledger import Counts, Metered, Page, counted_in

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""From a request to the ledger, at most, while the disk takes it."""


class Metering:
    """Of one engine; `recover` first. `run` flushes after `changed`; nothing here fails a request."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._live = store.live_path(root)
        self._clock = clock
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._counted: dict[str, Counts] | None = None
        self._ended: set[str] = set()

    async def recover(self) -> None:
        """Count what a former engine left behind, whose instances have ended."""
        await asyncio.to_thread(make_directory, self._root)
        await asyncio.to_thread(make_directory, self._live)
        self._ended |= {instance for _, instance, _ in pages.found(self._live)}
        await self._flush()

    def adopt(self, metered: Metered, instance: str, meter: Path) -> None:
        """Count an instance from now on, by its meter page. Raises OSError."""
        pages.link(self._live, metered, instance, meter)

    def changed(self) -> None:
        """Some request was answered."""
        self._changed.set()

    async def ended(self, instance: str) -> None:
        """Count the rest of an instance that does nothing any more."""
        self._ended.add(instance)
        await self._flush(instance)

    async def run(self) -> None:
        """Flush while something changes. Never returns."""
        while True:
            await self._changed.wait()
            # Before the flush: a page may follow its request's answer by a moment.
            self._changed.clear()
            await self._clock.sleep(FLUSH_SECONDS)
            await self._flush()

    async def _flush(self, instance: str | None = None) -> None:
        async with self._lock:
            if instance is not None and instance not in self._ended:
                return  # whoever held the lock has counted it, too
            ended = frozenset(self._ended)
            try:
                await asyncio.to_thread(self._settle, ended, self._clock.now())
            except (OSError, GrandstandError) as error:
                log.warning("what functions did cannot be written down, and is tried again: %s", error)
                self._changed.set()
            else:
                self._ended -= ended

    def _settle(self, ended: frozenset[str], now: float) -> None:
        """Write each day with the pages that belong to it; what is counted and has ended goes."""
        if self._counted is None:
            self._counted = counted_in(store.load_all(self._root).values())
            known = {instance for _, instance, _ in pages.found(self._live)}
            self._counted = {name: counts for name, counts in self._counted.items() if name in known}
        days: defaultdict[str, list[Page]] = defaultdict(list)
        over: list[tuple[Metered, str]] = []
        for metered, instance, path in pages.found(self._live):
            at = min(path.stat().st_mtime, now) if instance in ended else now
            page = pages.read(path, metered, instance, abandoned=instance in ended)
            if page is not None:
                days[store.day_of(at)].append(page)
            if instance in ended:
                over.append((metered, instance))
        for day, shown in sorted(days.items()):
            before = store.load(self._root, day)
            after = before.settled(self._counted, shown, now)
            if after is not before:
                store.save(self._root, day, after)
                self._counted = dict(after.counted)
        for metered, instance in over:
            pages.unlink(self._live, metered, instance)
            self._counted.pop(instance, None)
