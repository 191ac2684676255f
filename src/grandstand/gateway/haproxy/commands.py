"""Decide which runtime commands bring a worker to the wanted servers and routes, and read what it answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grandstand.errors import GatewayFailure
from grandstand.gateway.routes import Protocol
from grandstand.gateway.servers import Duty, Server

from .configuration import ACTIVATOR, ROUTE_MAP, server_parameters

SILENCE = ""
STATE_FORMAT = "1"
MAINTENANCE_FLAGS = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
DRAIN_FLAGS = 0x08 | 0x10


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as a worker has it."""

    address: str
    port: int
    duty: Duty
    weight: int


@dataclass(frozen=True, slots=True)
class Command:
    """One runtime command, and the answers that mean that it worked (`""`: none); `busy` means: ask again later."""

    text: str
    answers: tuple[str, ...] = (SILENCE,)
    busy: str | None = None


SeenServers = dict[str, dict[str, Seen]]
"""The servers of a worker, by backend and name. A backend without servers is not in it."""


def server_commands(
    backend: str, protocol: Protocol, wanted: Mapping[str, Server], seen: Mapping[str, Seen]
) -> list[Command]:
    """What a worker must be told so that a backend has the wanted servers.

    Those that serve come first, so that somebody does at every moment. Only where no server stays, all before are taken
    out first: two versions never answer side by side, and what comes in between waits in the activator.
    """
    added: list[Command] = []
    ready: list[Command] = []
    others: list[Command] = []
    for name, server in wanted.items():
        known = seen.get(name)
        if known is None:
            if server.duty is Duty.SERVING:
                added += _add(backend, server, protocol)
                ready += _turn(backend, server)
            continue
        if known.duty is not server.duty:
            (ready if server.duty is Duty.SERVING else others).extend(_turn(backend, server))
        if known.weight != server.weight:
            others.append(Command(f"set server {backend}/{name} weight {server.weight}"))
    for name, known in seen.items():
        if name not in wanted:
            others += _remove(backend, name, known)
    return [*added, *others, *ready] if _replaces_all(wanted, seen) else [*added, *ready, *others]


def _replaces_all(wanted: Mapping[str, Server], seen: Mapping[str, Seen]) -> bool:
    """Whether somebody serves before and after, and nobody both."""
    before = {name for name, server in seen.items() if server.duty is Duty.SERVING}
    after = {name for name, server in wanted.items() if server.duty is Duty.SERVING}
    return bool(before) and bool(after) and not before & after


def _add(backend: str, server: Server, protocol: Protocol) -> list[Command]:
    where = f"{backend}/{server.name}"
    return [
        Command(f"add server {where} {server_parameters(server, protocol)}", ("New server registered.",)),
        Command(f"enable health {where}"),
    ]


def _turn(backend: str, server: Server) -> list[Command]:
    where = f"{backend}/{server.name}"
    turn = Command(f"set server {where} state {server.duty}")
    if server.duty is not Duty.SERVING:
        return [turn]
    # The node says that it is ready: what `observe` thought of it before does not count.
    return [turn, Command(f"set server {where} health up")]


def _remove(backend: str, name: str, known: Seen) -> list[Command]:
    where = f"{backend}/{name}"
    rest = [] if known.duty is Duty.RESTING else [Command(f"set server {where} state {Duty.RESTING}")]
    return [*rest, Command(f"del server {where}", ("Server deleted.",), busy="still has connections")]


def map_commands(wanted: Mapping[str, str], seen: Mapping[str, str]) -> list[Command]:
    """What a worker must be told so that it has the wanted routes; new ones come before old ones go."""
    added = [Command(f"add map {ROUTE_MAP} {key} {wanted[key]}") for key in wanted if key not in seen]
    moved = [
        Command(f"set map {ROUTE_MAP} {key} {wanted[key]}")
        for key in wanted
        if key in seen and seen[key] != wanted[key]
    ]
    gone = [Command(f"del map {ROUTE_MAP} {key}") for key in seen if key not in wanted]
    return added + moved + gone


def left_over(commands: list[Command], answers: list[str]) -> bool:
    """Whether something is left to be asked again. Raises GatewayFailure for an answer that is not expected."""
    again = False
    for command, answer in zip(commands, answers, strict=True):
        if answer in command.answers:
            continue
        if command.busy is None or command.busy not in answer:
            raise GatewayFailure(f"HAProxy answered {answer!r} to {command.text!r}")
        again = True
    return again


def parse_servers(text: str) -> SeenServers:
    """Read the answer to `show servers state`, but for the activator. Raises GatewayFailure when it is none."""
    lines = text.splitlines()
    if len(lines) < 2 or lines[0].strip() != STATE_FORMAT or not lines[1].startswith("# "):
        raise GatewayFailure(f"HAProxy answered {text[:200]!r} to `show servers state`")
    names = lines[1][2:].split()
    found: SeenServers = {}
    for line in lines[2:]:
        if not line.strip():
            continue
        row = dict(zip(names, line.split(), strict=False))
        if row.get("srv_name") == ACTIVATOR:
            continue
        try:
            seen = Seen(
                row["srv_addr"], int(row["srv_port"]), _duty(int(row["srv_admin_state"])), int(row["srv_uweight"])
            )
            found.setdefault(row["be_name"], {})[row["srv_name"]] = seen
        except (KeyError, ValueError) as error:
            raise GatewayFailure(f"HAProxy shows a server that cannot be read: {line!r}") from error
    return found


def parse_map(text: str) -> dict[str, str]:
    """Read the answer to `show map`: lines of an address in memory, key and value."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if any(len(row) != 3 for row in rows):
        raise GatewayFailure(f"HAProxy shows a map that cannot be read: {text[:200]!r}")
    return {row[1]: row[2] for row in rows}


def _duty(admin_state: int) -> Duty:
    if admin_state & MAINTENANCE_FLAGS:
        return Duty.RESTING
    return Duty.FINISHING if admin_state & DRAIN_FLAGS else Duty.SERVING
