"""Change and read nftables through libnftables, the library that the program `nft` is made of.

In process, because a change then takes 1.5 ms; running the program takes 3 to 35 ms and a fork of the control plane.
"""

from __future__ import annotations

import ctypes
from typing import Any

import msgspec

from grandstand.errors import NetworkFailure

_LIBRARY = "libnftables.so.1"
_JSON_OUTPUT = 1 << 4


class Nft:
    """One connection to nftables, in the network namespace of the thread that made it. Not for two threads at once."""

    def __init__(self) -> None:
        self._library = _load()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise NetworkFailure("nftables is not available: run as root on a kernel with nf_tables")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        if self._context:
            self._library.nft_ctx_free(self._context)
        self._context = None

    def run(self, commands: str) -> None:
        """Run commands, one a line, as one transaction. Raises NetworkFailure, and then nothing has changed."""
        self._run(commands, 0)

    def table(self, name: str) -> list[dict[str, Any]] | None:
        """What an `ip` table consists of, as libnftables-json(5) says, or None where there is no such table."""
        if not any(item.get("table", {}).get("name") == name for item in self._list("list tables ip")):
            return None
        return self._list(f"list table ip {name}")

    def chains(self) -> list[dict[str, Any]]:
        """Every chain of the machine."""
        return [item["chain"] for item in self._list("list chains") if "chain" in item]

    def _list(self, command: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = msgspec.json.decode(self._run(command, _JSON_OUTPUT))["nftables"]
        return listed

    def _run(self, commands: str, flags: int) -> bytes:
        self._library.nft_ctx_output_set_flags(self._context, flags)
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        error: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            raise NetworkFailure(f"nftables refused a change of its rules: {error.decode(errors='replace').strip()}")
        return output


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NetworkFailure(f"{_LIBRARY} cannot be loaded ({error}): install the Debian package nftables") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = (ctypes.c_uint32,)
    library.nft_ctx_output_set_flags.argtypes = (ctypes.c_void_p, ctypes.c_uint)
    library.nft_run_cmd_from_buffer.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = (ctypes.c_void_p,)
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = (ctypes.c_void_p,)
        getattr(library, name).restype = ctypes.c_char_p
    return library
