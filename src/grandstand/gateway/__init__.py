"""The way in: routes, HAProxy and what drives it."""

from __future__ import annotations

import shutil

from grandstand.clock import SystemClock
from grandstand.engine import Engine

from .gateway import Gateway
from .haproxy.configuration import DOOR_SOCKET
from .haproxy.process import Home, end
from .sockets import taken

__all__ = ["DOOR_SOCKET", "Gateway", "destroy_gateway", "gateway_runs", "taken"]


def gateway_runs(engine: Engine) -> bool:
    """Whether the HAProxy of an engine runs: its ports are taken by ourselves then."""
    return Home.of(engine).process() is not None


async def destroy_gateway(engine: Engine) -> None:
    """End the HAProxy of an engine with all its connections, and remove its files. Needs no running engine."""
    home = Home.of(engine)
    await end(home, SystemClock())
    shutil.rmtree(home.directory, ignore_errors=True)
