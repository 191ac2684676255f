"""What the API does with Leases."""

from __future__ import annotations

from grandstand.kinds import Object

from .fields import Causes, forbidden, invalid, part
from .kind_rules import KindRules


def _default(lease: Object) -> None:
    lease.setdefault("spec", {})


def _check(lease: Object) -> Causes:
    spec = part(lease, "spec")
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")
    for key in ("strategy", "preferredHolder"):
        if spec.get(key):
            yield forbidden(f"spec.{key}", "coordinated leader election is not supported: leave it out")


RULES = KindRules(default=_default, check=_check)
