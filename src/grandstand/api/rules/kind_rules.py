"""Hold what the API does with one kind: its defaults, its checks, what an update leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grandstand.errors import Cause
from grandstand.kinds import Object

from . import names
from .names import NameRule


def _nothing(obj: Object) -> None:
    pass


def _nothing_of_two(new: Object, old: Object) -> None:
    pass


def _fine(obj: Object) -> Iterable[Cause]:
    return ()


def _fine_both(new: Object, old: Object) -> Iterable[Cause]:
    return ()


def _silent(obj: Object) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRules:
    """The rules of one kind; what a kind does not say is as for a plain object such as a ServiceAccount.

    `default`, `keep` and `keep_in_status` change the object in place: they are given a copy of their own.
    """

    default: Callable[[Object], None] = _nothing
    check: Callable[[Object], Iterable[Cause]] = _fine
    check_update: Callable[[Object, Object], Iterable[Cause]] = _fine_both
    name: NameRule = names.dns_subdomain
    initial_status: Callable[[Object], Object] | None = None
    """The status at creation; None for kinds without a status."""
    has_generation: bool = False
    described_by: tuple[str, ...] = ("spec",)
    """The top-level fields whose change makes a new generation."""
    keep: Callable[[Object, Object], None] = _nothing_of_two
    """Put back into a new object what an update may not touch in the old one."""
    keep_in_status: Callable[[Object, Object], None] = _nothing_of_two
    """The same, for a write through the status endpoint."""
    selectable: frozenset[str] = frozenset()
    """Fields that a fieldSelector may name, beside metadata.name and metadata.namespace."""
    warn: Callable[[Object], Iterable[str]] = _silent
