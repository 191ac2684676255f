"""Start a warm parent: build the root, load what instances will need, and serve."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys

from . import kernel, skeleton
from .serving import WarmParent

# Loaded lazily by nearly every handler; here they are loaded once for all.
_PRELOADED = ("asyncio", "datetime", "hashlib", "http.client", "json", "logging", "random", "ssl", "tempfile", "uuid")


def main() -> None:
    """The engine's socket is descriptor 0, its settings are the only argument."""
    settings = json.loads(sys.argv[1])
    engine = socket.socket(fileno=os.dup(0))
    kernel.close_from(engine.fileno() + 1)
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    os.umask(0o022)  # before the root is made: an engine may have been started by somebody who shares nothing
    skeleton.enter(settings["root"], settings["runtime"], settings["etc"])
    sys.path.insert(0, "/var/runtime")
    for name in (*_PRELOADED, *settings["preload"]):
        importlib.import_module(name)
    module, _, function = settings["supervisor"].partition(":")
    supervise = getattr(importlib.import_module(module), function)
    gc.collect()
    gc.freeze()
    engine.send(json.dumps({"warm": os.getpid()}).encode())
    WarmParent(engine, supervise, own_pids).serve()
