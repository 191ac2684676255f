"""Call this engine's Lambda API, as its owner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp

from grandstand.clock import Clock, SystemClock
from grandstand.engine import load
from grandstand.errors import PeerError, ServiceFault

from .access_keys import load_or_make
from .lambda_api.serving import key_path
from .signing import Credentials, SignedRequest, sign

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Said:
    """A successful answer; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class LambdaCaller:
    """Signs with the engine's access key. Raises PeerError where no engine answers, ServiceFault for its errors."""

    def __init__(self, url: str, credentials: Credentials, clock: Clock) -> None:
        self._url = url
        self._credentials = credentials
        self._clock = clock

    @classmethod
    def of(cls, data: Path) -> LambdaCaller:
        """For the engine of a data directory."""
        engine, clock = load(data), SystemClock()
        if engine is None or not key_path(data).exists():
            raise PeerError(f"no engine has run on {data}: start it with `grandstand up`")
        return cls(f"http://127.0.0.1:{engine.lambda_port}", load_or_make(key_path(data), clock), clock)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, Any] = b"",
        *,
        service: str = "lambda",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        """Blocks. A mapping goes as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self._ask(method, path, content, service, urlencode(query or {}, quote_via=quote), headers))

    async def _ask(
        self, method: str, path: str, body: bytes, service: str, query: str, headers: Mapping[str, str] | None
    ) -> Said:
        host = self._url.removeprefix("http://")
        given = [("Host", host), ("Content-Type", "application/json"), *(headers or {}).items()]
        request = SignedRequest(method, path, query, given, body)
        signed = sign(request, self._credentials, REGION, service, self._clock.now())
        url = f"{self._url}{path}{'?' if query else ''}{query}"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
                session.request(method, url, data=body, headers=[*given, *signed]) as answer,
            ):
                content = await answer.read()
                said = Said(answer.status, {name.lower(): text for name, text in answer.headers.items()}, content)
        except aiohttp.ClientError as error:
            raise PeerError(
                f"Lambda's API of the engine does not answer at {self._url}: is it up? ({error})"
            ) from error
        if said.status >= 400:
            raise _fault(said)
        return said


def _fault(said: Said) -> ServiceFault:
    try:
        told = said.json
    except ValueError:
        told = {}
    name = said.headers.get("x-amzn-errortype", "") or str(told.get("__type", "")).rpartition("#")[2]
    message = told.get("message") or told.get("Message") or f"HTTP status {said.status}"
    return ServiceFault(name.partition(":")[0] or "UnknownError", str(message), said.status)
