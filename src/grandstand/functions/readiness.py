"""Say in a Function's status whether its code and its runtime are there: then it can be invoked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
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
class Problem:
    """Why a function cannot be invoked: AWS's code for it, and a sentence."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    problem: Problem | None
    now: float


def reconcile(wanted: Function, seen: Seen) -> list[Action]:
    """Write the status when the description is new, or code has come or gone."""
    status, meta = wanted.status, wanted.metadata
    fine = seen.problem is None
    reason, code = (None, None) if seen.problem is None else (seen.problem.reason, seen.problem.code)
    after: Object = {
        "state": "Active" if fine else "Failed",
        "stateReason": reason,
        "stateReasonCode": code,
        "lastUpdateStatus": "Successful" if fine else "Failed",
        "lastUpdateStatusReason": reason,
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


def problem_of(wanted: Function, has_code: HasCode, runtimes: Collection[str] | None) -> Problem | None:
    """None where it can be invoked. `runtimes` are those of this machine; None: nobody asks."""
    digests = [wanted.spec.code.sha256, *(layer.sha256 for layer in wanted.spec.layers)]
    missing = [digest for digest in digests if digest and not has_code(digest)]
    if missing:
        return Problem("InvalidZipFileException", f"There is no code with the hash {missing[0]} here: upload it again.")
    if runtimes is None or wanted.spec.runtime in runtimes:
        return None
    known = ", ".join(runtimes)
    if wanted.spec.code.image:
        return Problem("InvalidImage", f"Container images cannot be run as functions yet: send a zip for {known}.")
    return Problem("InvalidRuntime", f"This machine has no runtime {wanted.spec.runtime}: it has {known}.")


def controller(
    caches: Caches, has_code: HasCode, runtimes: Collection[str] | None = None
) -> Controller[Key, Function, Seen]:
    """The description for the runner; `runtimes` as in `problem_of`."""
    functions = caches.informer(FUNCTIONS)

    async def look(key: Key, now: float) -> tuple[Function, Seen] | None:
        obj = functions.get(key)
        if obj is None:
            return None
        wanted = view(Function, obj)
        return wanted, Seen(problem_of(wanted, has_code, runtimes), now)

    def of_function(before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(after)] if after is not None else []

    return Controller("function-readiness", {FUNCTIONS: of_function}, look, reconcile)
