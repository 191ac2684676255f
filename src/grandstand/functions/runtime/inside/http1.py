"""Read HTTP/1.1 requests from bytes, and write answers as bytes. Pure."""

from __future__ import annotations

import re

from .faults import REQUEST_LIMIT_BYTES

MOST_HEAD_BYTES = 65_536
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_REASONS = {200: "OK", 400: "Bad Request", 413: "Payload Too Large", 431: "Request Header Fields Too Large",
            500: "Internal Server Error", 502: "Bad Gateway"}  # fmt: skip


class Refused(Exception):
    """What came is no request that can be read; `status` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Request:
    """Headers keep their order and repetition; names are in lower case."""

    __slots__ = ("body", "headers", "keep_alive", "method", "path", "query")

    def __init__(self, method: str, target: str, headers: list[tuple[str, str]], keep_alive: bool) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = b""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


class RequestReader:
    """One connection's requests, one after the other: what follows a request is read when that is answered."""

    __slots__ = ("_buffer", "_chunks", "_left", "_request", "expects")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._request: Request | None = None
        self._left: int | None = 0
        self._chunks: list[bytes] = []
        self.expects = False
        """Whether the client waits for `CONTINUE` before it sends the body."""

    def feed(self, data: bytes) -> Request | None:
        """A request that is whole now. Raises Refused."""
        self._buffer += data
        if self._request is None and not self._read_head():
            return None
        request = self._request
        assert request is not None
        if self._left is None:
            if not self._read_chunks():
                return None
            request.body = b"".join(self._chunks)
        else:
            if len(self._buffer) < self._left:
                return None
            request.body = bytes(self._buffer[: self._left])
            del self._buffer[: self._left]
        self._request, self._chunks, self.expects = None, [], False
        return request

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD_BYTES:
                raise Refused(431, "Request header fields are too large")
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise Refused(400, "Bad request line")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise Refused(400, "Bad header")
            headers.append((name.lower(), value.strip()))
        last = {name: value for name, value in headers if name in _FRAMING}
        if any(name in _FRAMING[:2] and value != last[name] for name, value in headers):
            raise Refused(400, "Headers contradict each other")
        wishes = {wish.strip() for name, value in headers if name == "connection" for wish in value.lower().split(",")}
        keep_alive = "close" not in wishes and parts[2] == "HTTP/1.1"
        self._request = Request(parts[0], parts[1], headers, keep_alive)
        self._left = _length(last)
        self.expects = last.get("expect", "").lower() == "100-continue"
        return True

    def _read_chunks(self) -> bool:
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return False
            digits = bytes(self._buffer[:end]).split(b";", 1)[0].strip()
            if not _CHUNK_SIZE.fullmatch(digits):
                raise Refused(400, "Bad chunk")
            size = int(digits, 16)
            if not size:
                return self._read_trailers(end)
            if size + sum(map(len, self._chunks)) > REQUEST_LIMIT_BYTES:
                raise Refused(413, "Request Too Long")
            begin, over = end + 2, end + 2 + size
            if len(self._buffer) < over + 2:
                return False
            if self._buffer[over : over + 2] != b"\r\n":
                raise Refused(400, "Bad chunk")
            self._chunks.append(bytes(self._buffer[begin:over]))
            del self._buffer[: over + 2]

    def _read_trailers(self, last_chunk: int) -> bool:
        """Pass over what follows the last chunk, whose line ends at `last_chunk`: an empty line ends it all."""
        end = self._buffer.find(b"\r\n\r\n", last_chunk)
        if end < 0:
            if len(self._buffer) > MOST_HEAD_BYTES:
                raise Refused(431, "Trailers are too large")
            return False
        del self._buffer[: end + 4]
        return True


_FRAMING = ("content-length", "transfer-encoding", "expect")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


def _length(headers: dict[str, str]) -> int | None:
    """Of the body; None for chunks."""
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise Refused(400, "Bad transfer encoding")
        return None
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdecimal():
        raise Refused(400, "Bad content length")
    if int(text) > REQUEST_LIMIT_BYTES:
        raise Refused(413, "Request Too Long")
    return int(text)


def head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """Of an answer. A line break in a header would be another header: it is left out."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
    for name, value in headers:
        lines.append("".join(c for c in f"{name}: {value}" if c not in "\r\n\0"))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def answer(
    status: int, headers: list[tuple[str, str]], body: bytes, *, keep_alive: bool = True, only_head: bool = False
) -> bytes:
    """A whole answer; `only_head`, for HEAD, is what goes before the same body."""
    kept = [(name, value) for name, value in headers if name.lower() not in _OURS]
    if status >= 200 and status not in (204, 304):
        kept.append(("content-length", str(len(body))))
    if not keep_alive:
        kept.append(("connection", "close"))
    return head(status, kept) + (b"" if only_head or status in (204, 304) else body)


def stream_head(status: int, headers: list[tuple[str, str]], *, keep_alive: bool = True) -> bytes:
    """Of an answer that comes in chunks."""
    kept = [(name, value) for name, value in headers if name.lower() not in _OURS]
    kept.append(("transfer-encoding", "chunked"))
    return head(status, kept if keep_alive else [*kept, ("connection", "close")])


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


_OURS = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"))
"""Headers that say how a message is framed: they are ours to write, not a function's."""
