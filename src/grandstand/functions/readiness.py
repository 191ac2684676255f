"""Say in a Function's status whether its code is there: then it can be invoked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grandstand.clock import rfc3339
from grandstand.kinds import Function, Key, Object, key_of, view
from grandstand.kinds.resources import FUNCTIONS
from grandstand.reconcile.actions import Action, Patch
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from .artefacts import aws_digest

HasCode = Callable[[str], bool]
"""Whether the artefact with a hash is here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`missing`: hashes of code and layers that are not here."""

    missing: Sequence[str]
    now: float


def reconcile(wanted: Function, seen: Seen) -> list[Action]:
    """Write the status when the description is new, or code has come or gone."""
    status, meta = wanted.status, wanted.metadata
    fine = not seen.missing
    reason = "" if fine else f"There is no code with the hash {seen.missing[0]} here: upload it again."
    after: Object = {
        "state": "Active" if fine else "Failed",
        "stateReason": reason or None,
        "stateReasonCode": None if fine else "InvalidZipFileException",
        "lastUpdateStatus": "Successful" if fine else "Failed",
        "lastUpdateStatusReason": reason or None,
        "observedGeneration": meta.generation,
        "codeSha256": aws_digest(wanted.spec.code.sha256) or None,
    }
    before = (
        *(status.state, status.state_reason or None, status.last_update_status),
        *(status.observed_generation, status.code_sha256 or None),
    )
    keys = ("state", "stateReason", "lastUpdateStatus", "observedGeneration", "codeSha256")
    if before == tuple(after[key] for key in keys):
        return []
    if status.observed_generation != meta.generation:
        after["lastModified"] = rfc3339(seen.now)
    return [Patch(FUNCTIONS, meta.key, {"status": after}, subresource="status", uid=meta.uid)]


def controller(caches: Caches, has_code: HasCode) -> Controller[Key, Function, Seen]:
    """The description for the runner."""
    functions = caches.informer(FUNCTIONS)

    async def look(key: Key, now: float) -> tuple[Function, Seen] | None:
        obj = functions.get(key)
        if obj is None:
            return None
        wanted = view(Function, obj)
        digests = [wanted.spec.code.sha256, *(layer.sha256 for layer in wanted.spec.layers)]
        return wanted, Seen([digest for digest in digests if digest and not has_code(digest)], now)

    def of_function(before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(after)] if after is not None else []

    return Controller("function-readiness", {FUNCTIONS: of_function}, look, reconcile)
