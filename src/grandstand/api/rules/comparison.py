"""Tell where two JSON values differ, as Go sees them: what its JSON leaves out is the same as its zero value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_EMPTY: tuple[Any, ...] = (None, "", [], {})
# For most numbers and booleans of Kubernetes' types, 0 and false say something (runAsUser: 0). Not for these: a client
# in Go that reads `tty: false` writes nothing back.
_ZERO_IS_ABSENT = frozenset(
    (
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostPort",
        "initialDelaySeconds",
        "minReadySeconds",
        "paused",
        "publishNotReadyAddresses",
        "readOnly",
        "stdin",
        "stdinOnce",
        "tty",
        "unschedulable",
    )
)


def differences(new: Any, old: Any, path: str) -> Iterator[str]:
    """The paths at which two values differ; none where they are the same."""
    if isinstance(new, dict) and isinstance(old, dict):
        for key in sorted(new.keys() | old.keys()):
            ours, theirs = new.get(key), old.get(key)
            if key not in _ZERO_IS_ABSENT or ours or theirs:
                yield from differences(ours, theirs, f"{path}.{key}")
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (ours, theirs) in enumerate(zip(new, old, strict=True)):
            yield from differences(ours, theirs, f"{path}[{index}]")
    elif new != old and not (new in _EMPTY and old in _EMPTY):
        yield path


def same(new: Any, old: Any) -> bool:
    return new == old or next(differences(new, old, ""), None) is None
