"""An HTTP server that no client can fill with connections, silent or open for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web_protocol import RequestHandler

MOST_CONNECTIONS = 2000
"""Each takes a descriptor and 50 KB; what comes beyond is closed, before anybody has said who it is."""

IDLE_SECONDS = 120.0
"""How long a connection may take to say what it wants, for the first time or again: aiohttp's default is an hour."""


log = logging.getLogger(__name__)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Not what is no HTTP: anybody could fill the log with it, and the line that is shown may hold a token."""
    return not (record.exc_info and isinstance(record.exc_info[1], BadHttpMessage))


log.addFilter(_is_worth_a_line)


class BoundedServer(web.Server):
    """`settings` are aiohttp's."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        most_connections: int = MOST_CONNECTIONS,
        idle_seconds: float = IDLE_SECONDS,
        **settings: Any,
    ) -> None:
        super().__init__(handler, keepalive_timeout=idle_seconds, logger=log, **settings)
        self._most_connections = most_connections

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > self._most_connections:
            # Not at once: aiohttp starts a task for the connection first, which fails when that is gone.
            asyncio.get_running_loop().call_soon(transport.abort)
