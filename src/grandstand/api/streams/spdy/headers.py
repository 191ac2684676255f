"""Header blocks of SPDY/3: pairs with their lengths, compressed by one zlib stream per connection. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

MOST_HEADER_BYTES = 64 * 1024
"""Of one block, uncompressed: what Kubernetes' clients send has some hundred."""

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split()) + _TEXT.encode()
)
"""What zlib is to know beforehand (SPDY draft 3, 2.6.10.1); both sides compare its Adler-32, e3c6a7c2."""


class HeaderError(Exception):
    """A header block cannot be read, and after it no other: they are one compressed stream."""


class HeaderWriter:
    """Compresses the header blocks of one direction, in the order in which they are sent."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(zdict=DICTIONARY)

    def block(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                parts += (struct.pack(">I", len(text)), text)
        return self._compressor.compress(b"".join(parts)) + self._compressor.flush(zlib.Z_SYNC_FLUSH)


class HeaderReader:
    """Reads the header blocks of one direction, in the order in which they came."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(zdict=DICTIONARY)

    def headers(self, block: bytes) -> dict[str, str]:
        """Raises HeaderError. Of a name that comes twice, the first value counts."""
        try:
            text = self._decompressor.decompress(block, MOST_HEADER_BYTES)
        except zlib.error as error:
            raise HeaderError(f"the headers cannot be decompressed: {error}") from error
        if self._decompressor.unconsumed_tail:
            raise HeaderError(f"the headers are longer than {MOST_HEADER_BYTES} bytes")
        try:
            return _pairs(text)
        except (struct.error, UnicodeDecodeError) as error:
            raise HeaderError(f"the headers are cut off or no text: {error}") from error


def _pairs(text: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from(">I", text)
    offset = 4
    found: dict[str, str] = {}
    for _ in range(count):
        name, offset = _string(text, offset)
        value, offset = _string(text, offset)
        found.setdefault(name, value)
    return found


def _string(text: bytes, offset: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", text, offset)
    start, end = offset + 4, offset + 4 + length
    if end > len(text):
        raise struct.error(f"a string of {length} bytes, with {len(text) - start} left")
    return text[start:end].decode(), end
