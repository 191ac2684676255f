"""Keep an engine's nftables table as its sections say, in few transactions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grandstand.errors import NetworkFailure

from .nft import Nft
from .rounds import Rounds
from .rules import ADDRESS_HOST_PORTS_MAP, HOST_PORTS_MAP, NODE_PORTS_MAP, SERVICES_MAP
from .ruleset import NOTHING, UNKNOWN, Ruleset, SetDeclaration, difference, union
from .services import AFFINITY_PREFIX, CHAIN_PREFIX, ENDPOINT_PREFIX

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the table with one author: the maps that it fills, and how the names of its chains and sets begin."""

    name: str
    maps: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


MACHINE = Section("machine")
HOST_PORTS = Section("host ports", (HOST_PORTS_MAP, ADDRESS_HOST_PORTS_MAP))
SERVICES = Section("services", (SERVICES_MAP, NODE_PORTS_MAP), (CHAIN_PREFIX, ENDPOINT_PREFIX, AFFINITY_PREFIX))
SECTIONS = (MACHINE, HOST_PORTS, SERVICES)


class Table:
    """The table of one engine. A section that nobody has set yet stays as an earlier process left it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nft: Nft | None = None
        self._desired: dict[Section, Ruleset] = {}
        self._applied: dict[Section, Ruleset] = {}
        self._read: dict[Section, Ruleset] = {}
        self._rounds = Rounds(self._apply)

    async def open(self, machine: Ruleset) -> None:
        """Make the table, or take over that of an earlier process."""
        self._nft = await asyncio.to_thread(Nft)
        self._read = await asyncio.to_thread(self._found)
        await self.set(MACHINE, machine)

    async def set(self, section: Section, ruleset: Ruleset) -> None:
        """Replace a section; returns when the kernel has it. Raises NetworkFailure when it refuses."""
        self._desired[section] = ruleset
        await self._rounds.run()

    async def close(self) -> None:
        """Let go of the connection; the table stays."""
        if self._nft is not None:
            await asyncio.to_thread(self._nft.close)
        self._nft = None

    async def _apply(self) -> None:
        desired = dict(self._desired)
        commands = self._commands(desired)
        if not commands:
            return
        try:
            await asyncio.to_thread(self._run, commands)
        except NetworkFailure as error:
            log.warning("%s; writing the whole table %s anew", error, self._name)
            await asyncio.to_thread(self._run, self._anew(desired))
            self._read = {}
        self._applied = desired

    def _commands(self, desired: dict[Section, Ruleset]) -> str:
        """All of a section's changes; sections refer to each other's sets, so that the machine's come first."""
        parts = [] if self._applied else [f"add table ip {self._name}"]
        for section in SECTIONS:
            if section not in desired:
                continue
            known = section in self._applied
            applied = self._applied[section] if known else self._read.get(section, NOTHING)
            flush = section.maps if not known and self._read else ()
            parts.append(difference(self._name, desired[section], applied, flush=flush))
        return "\n".join(part for part in parts if part)

    def _anew(self, desired: dict[Section, Ruleset]) -> str:
        whole = difference(self._name, union(desired[section] for section in SECTIONS if section in desired), NOTHING)
        return f"add table ip {self._name}\ndelete table ip {self._name}\nadd table ip {self._name}\n{whole}"

    def _run(self, commands: str) -> None:
        if self._nft is None:
            raise NetworkFailure(f"the table {self._name} is not open: the network has not been started, or has ended")
        self._nft.run(commands)

    def _found(self) -> dict[Section, Ruleset]:
        """What an earlier process left, by section: names, but not what stands in chains and maps."""
        assert self._nft is not None
        items = self._nft.table(self._name)
        return {} if items is None else by_section(items)


def by_section(items: Iterable[dict[str, Any]]) -> dict[Section, Ruleset]:
    """The names in a table as libnftables lists it, by the section that owns them."""
    chains: dict[Section, list[str]] = {section: [] for section in SECTIONS}
    sets: dict[Section, dict[str, SetDeclaration]] = {section: {} for section in SECTIONS}
    for item in items:
        for kind in ("set", "map"):
            if kind in item:
                name = item[kind]["name"]
                sets[_owner(name)][name] = SetDeclaration(kind, "")
        if "chain" in item:
            chains[_owner(item["chain"]["name"])].append(item["chain"]["name"])
    return {section: Ruleset(sets[section], dict.fromkeys(chains[section], UNKNOWN)) for section in SECTIONS}


def _owner(name: str) -> Section:
    return next((section for section in SECTIONS if name.startswith(section.prefixes)), MACHINE)


def delete_table(name: str) -> None:
    """Delete an engine's table; nothing happens where there is none."""
    nft = Nft()
    try:
        nft.run(f"add table ip {name}\ndelete table ip {name}")
    finally:
        nft.close()
