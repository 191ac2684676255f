"""Speak rtnetlink with the kernel: send messages, read the answers.

Written here because pyroute2, the library for this, costs 27 MB of memory and half a second of import: a fifth of what
the whole control plane may take. What is needed of the protocol is these two modules.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from errno import EEXIST, ENODEV, ENOENT, ESRCH
from types import TracebackType

from .messages import (
    ACK,
    DONE,
    DUMP,
    ERROR,
    FIXED_SIZES,
    HEADER,
    REQUEST,
    Message,
    Reply,
    find_link,
    list_addresses,
    list_links,
    list_routes,
    parse_attributes,
)

# The kernel fills at most 32 KiB of a dump at once.
_RECEIVE_BYTES = 1 << 15
# The kernel queues all acknowledgements before the first is read: 300 of them overflow the default receive buffer.
_CHUNK = 100


class Netlink:
    """A socket to the kernel. It belongs to the network namespace of the thread that opened it, wherever that goes."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def request(self, messages: Sequence[Message], *, absent_ok: bool = False, exists_ok: bool = False) -> None:
        """Have every message acknowledged, then raise OSError for the first one that the kernel refused.

        `absent_ok`: what shall be deleted or changed may be gone; `exists_ok`: what shall be created may be there.
        """
        passed = {0} | ({ENODEV, ESRCH, ENOENT} if absent_ok else set()) | ({EEXIST} if exists_ok else set())
        refused = [
            (code, message)
            for start in range(0, len(messages), _CHUNK)
            for code, message in self._acknowledged(messages[start : start + _CHUNK])
            if code not in passed
        ]
        for code, message in refused:
            raise OSError(code, f"cannot {message.what}: {os.strerror(code)}")

    def link(self, name: str) -> Reply | None:
        """The link of a name, or None where there is none."""
        try:
            return self._answers(find_link(name), 0)[0]
        except OSError as error:
            if error.errno == ENODEV:
                return None
            raise

    def index(self, name: str) -> int:
        """The index of a link. Raises OSError where there is none."""
        found = self.link(name)
        if found is None:
            raise OSError(ENODEV, f"the link {name} is gone")
        return found.index

    def links(self) -> list[Reply]:
        return self._answers(list_links(), DUMP)

    def addresses(self) -> list[Reply]:
        return self._answers(list_addresses(), DUMP)

    def routes(self) -> list[Reply]:
        return self._answers(list_routes(), DUMP)

    def _acknowledged(self, messages: Sequence[Message]) -> list[tuple[int, Message]]:
        """Each message with the error number that the kernel answered, 0 for success."""
        first = self._sequence + 1
        self._socket.sendall(b"".join(self._packet(message, ACK) for message in messages))
        answers: list[tuple[int, Message]] = []
        while len(answers) < len(messages):
            for kind, sequence, payload in self._receive():
                if kind == ERROR:
                    answers.append((error_number(payload), messages[sequence - first]))
        return answers

    def _answers(self, message: Message, flags: int) -> list[Reply]:
        """All answers to a dump, or the only one to a question about one thing."""
        self._socket.sendall(self._packet(message, flags))
        replies: list[Reply] = []
        while True:
            for kind, _, payload in self._receive():
                if kind == DONE:
                    return replies
                if kind == ERROR:
                    code = error_number(payload)
                    raise OSError(code, f"cannot {message.what}: {os.strerror(code)}")
                fixed = FIXED_SIZES[kind]
                replies.append(Reply(payload[:fixed], parse_attributes(payload[fixed:])))
            if not flags:
                return replies

    def _packet(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        size = HEADER.size + len(message.body)
        return HEADER.pack(size, message.type, REQUEST | flags | message.flags, self._sequence, 0) + message.body

    def _receive(self) -> list[tuple[int, int, bytes]]:
        """The type, sequence number and payload of each message of one packet."""
        data = self._socket.recv(_RECEIVE_BYTES)
        found = []
        at = 0
        while at < len(data):
            size, kind, _, sequence, _ = HEADER.unpack_from(data, at)
            found.append((kind, sequence, data[at + HEADER.size : at + size]))
            at += size + (-size % 4)
        return found


def error_number(payload: bytes) -> int:
    return -int(struct.unpack_from("=i", payload)[0])
