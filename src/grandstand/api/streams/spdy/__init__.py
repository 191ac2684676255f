"""SPDY/3.1 as Kubernetes' clients speak it: frames and their meaning. Pure: bytes in, events out, and the reverse.

One `SpdyConnection` is one side of one connection; how its bytes travel (in WebSocket messages, or after an upgrade)
is for others. Clients of Kubernetes (moby/spdystream) have no flow control: they ignore WINDOW_UPDATE and send none,
so nothing here waits for one.
"""

from .connection import (
    DataReceived,
    Event,
    GoneAway,
    Pinged,
    SpdyConnection,
    SpdyViolation,
    StreamOpened,
    StreamReset,
)
from .frames import ResetReason

__all__ = [
    "DataReceived",
    "Event",
    "GoneAway",
    "Pinged",
    "ResetReason",
    "SpdyConnection",
    "SpdyViolation",
    "StreamOpened",
    "StreamReset",
]
