"""Read what HAProxy sends to the activator, and write what goes back or on to it. Pure.

Before the first byte of a request HAProxy sends a header of the PROXY protocol (version 2), which no client can reach.
It names the client's address and, as the "unique id" of the request, the backend that the request is for.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FIXED = 16
VERSION_AND_PROXY = 0x21
TYPE_AUTHORITY = 0x02
TYPE_UNIQUE_ID = 0x05
ADDRESS_BYTES = {0x1: 12, 0x2: 36, 0x3: 216}
"""By address family: IPv4, IPv6, Unix."""
TCP_IPV4 = 0x11
NOWHERE = bytes(12)

HEAD_END = b"\r\n\r\n"
REPLAYABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods that HAProxy sends again: those that the frontend does not exclude with `disable-l7-retry`."""

TRY_AGAIN = b"HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Malformed(ValueError):
    """What came is no request from HAProxy."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """For which backend a request is, and the address that it came from, as bytes of the PROXY protocol."""

    backend: str
    family: int
    addresses: bytes
    size: int
    """Of the header in bytes."""

    def onwards(self) -> bytes:
        """The header that brings the request back into HAProxy: the backend goes as "authority"."""
        name = self.backend.encode()
        entry = struct.pack("!BH", TYPE_AUTHORITY, len(name)) + name
        size = len(self.addresses) + len(entry)
        return SIGNATURE + struct.pack("!BBH", VERSION_AND_PROXY, self.family, size) + self.addresses + entry


def introduction(data: bytes) -> Introduction | None:
    """The header that a connection begins with; None when it is not whole yet. Raises Malformed for anything else."""
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
        raise Malformed("no header of the PROXY protocol")
    if len(data) < FIXED:
        return None
    family, size = struct.unpack_from("!BH", data, 13)
    if len(data) < FIXED + size:
        return None
    addresses = ADDRESS_BYTES.get(family >> 4, 0)
    entries = data[FIXED + addresses : FIXED + size]
    backend = _entry(entries, TYPE_UNIQUE_ID)
    if not backend:
        raise Malformed("the header names no backend")
    if family != TCP_IPV4 and addresses != ADDRESS_BYTES[0x2]:  # no address: HAProxy reads entries only after one
        return Introduction(backend, TCP_IPV4, NOWHERE, FIXED + size)
    return Introduction(backend, family, data[FIXED : FIXED + addresses], FIXED + size)


def _entry(entries: bytes, wanted: int) -> str:
    at = 0
    while at + 3 <= len(entries):
        kind, size = struct.unpack_from("!BH", entries, at)
        if kind == wanted:
            return entries[at + 3 : at + 3 + size].decode(errors="replace")
        at += 3 + size
    return ""


def replayable(head: bytes) -> bool:
    """Whether HAProxy holds all of a request, and may send it a second time: it has no body, and its method allows it.

    A request with a body may have come in several parts, and HAProxy keeps only what came before the first was sent.
    """
    lines = head.split(b"\r\n")
    method = lines[0].split(b" ", 1)[0].decode(errors="replace")
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        match name.strip().lower():
            case b"transfer-encoding":
                return False
            case b"content-length" if value.strip() != b"0":
                return False
    return method in REPLAYABLE


def refusal(text: str, status: str = "503 Service Unavailable", retry_after_seconds: int = 1) -> bytes:
    """A whole answer that says why nobody answers."""
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nRetry-After: {retry_after_seconds}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
