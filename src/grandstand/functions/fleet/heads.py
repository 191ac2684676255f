"""Read and change the heads of HTTP/1.1 messages that pass the door, as bytes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from grandstand.errors import ServiceFault

END = b"\r\n\r\n"
_OWN = b"grandstand-"
_HOP = (b"connection", b"upgrade")


def request_line(head: bytes) -> tuple[str, str, str]:
    """Method, target, and version, "" where the line has less."""
    first = head.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)
    method, target, version = (*first, "", "", "")[:3]
    return method, target, version


def value(head: bytes, name: str) -> str:
    """The first value of a header; "" where there is none. `name` is in lower case."""
    return next((value for key, value in fields(head) if key == name), "")


def fields(head: bytes) -> Iterator[tuple[str, str]]:
    """The headers, by names in lower case."""
    for line in head.removesuffix(END).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        yield name.strip().lower().decode("latin-1"), value.strip().decode("utf-8", "replace")


def label_of(head: bytes) -> str:
    """The first label of the host that a request names, in lower case; "" where it names none."""
    return value(head, "host").split(".", 1)[0].lower()


def onwards(head: bytes, added: Iterable[tuple[str, str]] = (), without: tuple[bytes, ...] = ()) -> bytes:
    """The head of a request as an instance gets it, which ends the connection after its answer.

    Upgrades are none of functions'. What the platform says to instances, nobody else can say.
    """
    first, *lines = head.removesuffix(END).split(b"\r\n")
    kept = [line for line in lines if not _dropped(line.partition(b":")[0].strip().lower(), without)]
    said = _lines((("grandstand-event", "url"), *added, ("Connection", "close")))
    return b"\r\n".join((first, *kept, said)) + b"\r\n"


def _dropped(name: bytes, without: tuple[bytes, ...]) -> bool:
    return name.startswith(_OWN) or name in _HOP or name in without


def extended(head: bytes, added: Iterable[tuple[str, str]]) -> bytes:
    """The head of an answer, with more headers."""
    return head.removesuffix(b"\r\n") + _lines(added) + b"\r\n"


def is_interim(head: bytes) -> bool:
    """Whether another head follows, as after 100 Continue."""
    return head.partition(b" ")[2].startswith(b"1")


def answer(status: str, added: Iterable[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    """A whole answer of the door's own, with JSON or nothing in it; `status` is "404 Not Found"."""
    said = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *added, ("Connection", "close"))
    return f"HTTP/1.1 {status}\r\n".encode() + _lines(said) + b"\r\n" + body


def refusal(status: str, message: str, added: Iterable[tuple[str, str]] = ()) -> bytes:
    return answer(status, added, json.dumps({"Message": message}).encode())


def fault(fault: ServiceFault, added: Iterable[tuple[str, str]] = ()) -> bytes:
    """What an AWS API would answer with, in the words of function URLs."""
    named = (("x-amzn-ErrorType", fault.error), *added)
    return refusal(f"{fault.status} {HTTPStatus(fault.status).phrase}", str(fault), named)


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers)
