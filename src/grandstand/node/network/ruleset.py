"""Say in nftables' words what must change so that a table has the chains, sets and elements that it should. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Chain:
    """`hook` is the declaration of a base chain, e.g. `type nat hook prerouting priority dstnat`, else ""."""

    rules: tuple[str, ...]
    hook: str = ""


UNKNOWN = Chain(("?",))
"""A chain that exists, with rules that nobody has read: it differs from every other."""


@dataclass(frozen=True, slots=True)
class SetDeclaration:
    """`kind` is "set" or "map"; `body` is what stands between the braces. Under one name, it never changes."""

    kind: str
    body: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Part of a table: declarations and chains by name, and the value of every element by its map and key."""

    sets: Mapping[str, SetDeclaration] = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)
    elements: Mapping[tuple[str, str], str] = field(default_factory=dict)


NOTHING = Ruleset()


def union(parts: Iterable[Ruleset]) -> Ruleset:
    """All parts together; no two name the same thing."""
    sets: dict[str, SetDeclaration] = {}
    chains: dict[str, Chain] = {}
    elements: dict[tuple[str, str], str] = {}
    for part in parts:
        sets.update(part.sets)
        chains.update(part.chains)
        elements.update(part.elements)
    return Ruleset(sets, chains, elements)


def difference(table: str, desired: Ruleset, applied: Ruleset, *, flush: Collection[str] = ()) -> str:
    """Commands, for one transaction, that turn `applied` into `desired`; "" when nothing differs.

    `flush` names maps whose elements nobody has read: they are emptied first. Sets keep what the kernel put into them.
    """
    # What is referred to must be there before what refers to it, and must go after it.
    return "\n".join(
        [
            *(f"flush map ip {table} {name}" for name in flush),
            *_additions(table, desired, applied),
            *_elements(f"delete element ip {table}", applied, desired),
            *_rules(table, desired, applied),
            *_elements(f"add element ip {table}", desired, applied),
            *_removals(table, desired, applied),
        ]
    )


def _additions(table: str, desired: Ruleset, applied: Ruleset) -> Iterator[str]:
    for name, declaration in desired.sets.items():
        if name not in applied.sets:
            yield f"add {declaration.kind} ip {table} {name} {{ {declaration.body} }}"
    for name, chain in desired.chains.items():
        if applied.chains.get(name) != chain:
            hook = f" {{ {chain.hook}; policy accept; }}" if chain.hook else ""
            yield f"add chain ip {table} {name}{hook}"


def _rules(table: str, desired: Ruleset, applied: Ruleset) -> Iterator[str]:
    """Empty what is old or gone, before new rules refer to new chains."""
    for name, chain in applied.chains.items():
        if desired.chains.get(name) != chain:
            yield f"flush chain ip {table} {name}"
    for name, chain in desired.chains.items():
        if applied.chains.get(name) != chain:
            yield from (f"add rule ip {table} {name} {rule}" for rule in chain.rules)


def _elements(command: str, these: Ruleset, others: Ruleset) -> Iterator[str]:
    """One command for each element that is here, and not the same there."""
    for (owner, key), value in these.elements.items():
        if others.elements.get((owner, key)) != value:
            yield f"{command} {owner} {{ {key} : {value} }}"


def _removals(table: str, desired: Ruleset, applied: Ruleset) -> Iterator[str]:
    yield from (f"delete chain ip {table} {name}" for name in applied.chains if name not in desired.chains)
    for name, declaration in applied.sets.items():
        if name not in desired.sets:
            yield f"delete {declaration.kind} ip {table} {name}"
