"""Connect to a port inside a Pod's network, its loopback included."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path

from grandstand.node import syscalls

from .namespaces import in_own_thread

CONNECT_SECONDS = 10.0
_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


async def connect(network: Path | None, port: int) -> socket.socket:
    """A connection to `localhost:port` as a process of the Pod would make it; `network` None is the machine's own.

    Raises OSError: that of IPv4, which most servers listen on.
    """
    first: OSError | None = None
    for family, address in _LOOPBACKS:
        connection = await _made_inside(network, family)
        if connection is None:
            continue
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except (OSError, TimeoutError) as error:
            connection.close()
            first = first or (error if isinstance(error, OSError) else _timed_out())
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise first or OSError(errno.EADDRNOTAVAIL, "the Pod's network has no loopback")


async def _made_inside(network: Path | None, family: socket.AddressFamily) -> socket.socket | None:
    """A socket stays in the network namespace of the thread that made it. None where there is no such family."""

    def make() -> socket.socket:
        if network is not None:
            descriptor = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
            try:
                syscalls.join(descriptor, syscalls.NEW_NET)
            finally:
                os.close(descriptor)
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        return made

    try:
        return await in_own_thread(make)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return None
        raise


def _timed_out() -> OSError:
    return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
