"""What handlers of operations are given, and give back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grandstand.clock import Clock
from grandstand.functions.artefacts import Artefacts
from grandstand.kinds import Object

from .asked import lambda_fields
from .ports import Answer, Invoker, Logs, Settings
from .stored import Stored


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers work with. `signed`: whether requests are known to come from the engine's owner."""

    stored: Stored
    invoker: Invoker
    artefacts: Artefacts
    logs: Logs
    settings: Settings
    clock: Clock
    signed: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what stood in its path and query, its headers by lower-case name, its body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    location: Callable[[str], str]
    """Where the zip with a hash can be fetched."""

    def asked(self) -> Object:
        """The body as a JSON object; {} where there is none. Raises ServiceFault."""
        return lambda_fields(self.body)

    @property
    def qualifier(self) -> str:
        return self.query.get("Qualifier", "")

    @property
    def marker(self) -> tuple[str, str]:
        return self.query.get("Marker", ""), self.query.get("MaxItems", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """A body as JSON (None: no body), and headers besides."""

    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None


Handler = Callable[[Parts, Call], Awaitable["Reply | Answer"]]
