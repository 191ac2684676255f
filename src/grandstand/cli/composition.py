"""What `grandstand up` may be told of how the engine is to run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`lambda_signed`: whether requests to Lambda's API must be signed."""

    autoscaler_period_seconds: float = 1.0
    lambda_signed: bool = True


DEFAULTS = Options()
