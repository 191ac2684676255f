"""All pools of an engine: kept to the Functions of the API, within the limits of concurrency."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from grandstand.clock import Clock
from grandstand.errors import ServiceFault
from grandstand.functions.lambda_api.concurrency import ACCOUNT_CONCURRENCY
from grandstand.functions.lambda_api.faults import function_not_found
from grandstand.functions.lambda_api.names import function_arn
from grandstand.functions.lambda_api.ports import Settings
from grandstand.kinds import Function, FunctionVersion, Key, Object
from grandstand.kinds.functions import FunctionUrl, object_name, url_label
from grandstand.kinds.resources import FUNCTION_VERSIONS, FUNCTIONS
from grandstand.reconcile.caches import Caches

from .pool import IDLE_SECONDS, Instance, Pool
from .targets import Target, target_of


class Launcher(Protocol):
    """Makes instances."""

    async def launch(self, target: Target) -> Instance:
        """Return when it has been told which function it is. Raises GrandstandError."""


class Fleet:
    """Give requests to instances. It follows `caches`, whose informers somebody runs."""

    def __init__(self, caches: Caches, launcher: Launcher, clock: Clock, settings: Settings) -> None:
        self._launcher = launcher
        self._clock = clock
        self._settings = settings
        self._functions = caches.table(FUNCTIONS, Function)
        self._labels = self._functions.index(_labels)
        self._reserving = self._functions.index(lambda each: [each.spec.reserved_concurrency is not None])
        self._versions = caches.table(FUNCTION_VERSIONS, FunctionVersion).index(lambda each: [each.spec.function])
        self._pools: dict[tuple[str, str, str], Pool] = {}
        self._busy: Counter[str] = Counter()
        self._prepare: Callable[[str], None] = lambda _: None
        self._served: Callable[[], None] = lambda: None
        caches.informer(FUNCTIONS).subscribe(self._changed)
        caches.informer(FUNCTION_VERSIONS).subscribe(self._version_changed)

    def prepare_with(self, prepare: Callable[[str], None]) -> None:
        """Tell somebody of each runtime that a function uses."""
        self._prepare = prepare
        for function in self._functions.all():
            prepare(function.spec.runtime)

    def tell_when_served(self, served: Callable[[], None]) -> None:
        """Tell somebody whenever an instance is done with a request."""
        self._served = served

    def instances(self, function_uid: str) -> int:
        """How many a function has at this moment, of all versions."""
        return sum(pool.instances for key, pool in self._pools.items() if key[0] == function_uid)

    def target(self, name: str, qualifier: str = "") -> Target:
        """What Lambda's name and qualifier mean. Raises ServiceFault where they mean nothing."""
        function = self._functions.get(Key(self._settings.namespace, object_name(name)))
        found = None if function is None else self._target_of(function, qualifier)
        if found is None:
            raise function_not_found(function_arn(self._settings, name, qualifier))
        return found

    def target_of_url(self, label: str) -> tuple[Target, FunctionUrl] | None:
        """What the first label of a function URL's host means, and its settings; None where nobody has that URL."""
        for function in self._labels[label]:
            for qualifier, url in _urls(function):
                if url_label(function.spec.function_name, qualifier) == label:
                    target = self._target_of(function, qualifier)
                    return None if target is None else (target, url)
        return None

    @asynccontextmanager
    async def instance(self, target: Target) -> AsyncIterator[Instance]:
        """An instance for one request. Raises ServiceFault beyond the concurrency, GrandstandError for a start."""
        self._admit(target)
        self._busy[target.function_uid] += 1
        pool = self._pool(target)
        try:
            instance = await pool.take()
            try:
                yield instance
            finally:
                pool.give_back(instance)
                self._served()
        finally:
            self._busy[target.function_uid] -= 1
            if not self._busy[target.function_uid]:
                del self._busy[target.function_uid]

    async def close(self) -> None:
        """End every instance."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    def _target_of(self, function: Function, qualifier: str) -> Target | None:
        versions = {each.spec.version: each for each in self._versions[function.metadata.name]}
        return target_of(function, versions, qualifier, self._chance())

    def _chance(self) -> float:
        return int(self._clock.uid()[:8], 16) / 2**32

    def _admit(self, target: Target) -> None:
        reserved = target.reserved
        if reserved is not None:
            if self._busy[target.function_uid] >= reserved:
                raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            return
        reservations = {each.metadata.uid: each.spec.reserved_concurrency or 0 for each in self._reserving[True]}
        unreserved = sum(count for uid, count in self._busy.items() if uid not in reservations)
        if unreserved >= ACCOUNT_CONCURRENCY - sum(reservations.values()):
            raise _throttled("ConcurrentInvocationLimitExceeded")

    def _pool(self, target: Target) -> Pool:
        pool = self._pools.get(target.key)
        if pool is None:
            spec = target.spec
            pool = self._pools[target.key] = Pool(
                self._launching(target),
                self._clock,
                concurrency=spec.concurrency,
                idle_seconds=IDLE_SECONDS if spec.idle_seconds is None else spec.idle_seconds,
            )
        return pool

    def _launching(self, target: Target) -> Callable[[], Awaitable[Instance]]:
        return lambda: self._launcher.launch(target)

    def _changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        old, new = (None if obj is None else obj["metadata"]["uid"] for obj in (before, after))
        if after is not None:
            self._prepare(after["spec"].get("runtime", ""))
        if old is not None and (old != new or _spec(before) != _spec(after)):
            function = self._functions.get(key) if new is not None else None
            self._retire(old, function)

    def _version_changed(self, key: Key, before: Object | None, after: Object | None) -> None:
        if before is not None and after is None:
            function = self._functions.get(Key(key.namespace, before["spec"]["function"]))
            if function is not None:
                self._retire(function.metadata.uid, function)

    def _retire(self, uid: str, function: Function | None) -> None:
        """End the pools of a function's descriptions that are no longer its."""
        current = set()
        if function is not None and function.metadata.uid == uid:
            versions = {each.spec.version: each for each in self._versions[function.metadata.name]}
            targets = (target_of(function, versions, version, 1.0) for version in ("", *versions))
            current = {target.key for target in targets if target is not None}
        for key in [key for key in self._pools if key[0] == uid and key not in current]:
            pool = self._pools.pop(key)
            pool.retire()


def _labels(function: Function) -> list[str]:
    return [url_label(function.spec.function_name, qualifier) for qualifier, _ in _urls(function)]


def _urls(function: Function) -> list[tuple[str, FunctionUrl]]:
    """The qualifiers that have a URL, and its settings."""
    own = [("", function.spec.url)] if function.spec.url is not None else []
    others = [(name, each.url) for name, each in function.spec.qualified.items() if each.url is not None]
    return own + others


def _spec(obj: Object | None) -> object:
    return None if obj is None else obj.get("spec")


def _throttled(reason: str) -> ServiceFault:
    return ServiceFault("TooManyRequestsException", "Rate Exceeded.", 429, {"Reason": reason})
