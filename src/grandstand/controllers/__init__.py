"""Controllers: one file each, with one pure reconcile."""

from __future__ import annotations

from typing import Any

from grandstand.client import Client
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from . import (
    analysis_run,
    deployment,
    endpoint_slice,
    event_expiry,
    garbage_collector,
    horizontal_pod_autoscaler,
    namespace,
    replica_set,
    rollout,
    scheduling,
)


def all_controllers(
    client: Client,
    caches: Caches,
    reader: horizontal_pod_autoscaler.Reader,
    *,
    root_ca: str | None = None,
    autoscaler_period_seconds: float = 1.0,
) -> tuple[Controller[Any, Any, Any], ...]:
    """All of them, for one runner over the same caches. `root_ca`: the API's CA certificate, as PEM, for Pods."""
    return (
        deployment.controller(caches),
        replica_set.controller(caches),
        rollout.controller(caches),
        analysis_run.controller(caches, reader.traffic),
        scheduling.controller(caches),
        endpoint_slice.controller(caches),
        garbage_collector.controller(client, caches),
        namespace.controller(client, caches, root_ca),
        event_expiry.controller(caches),
        horizontal_pod_autoscaler.controller(caches, reader, period_seconds=autoscaler_period_seconds),
    )


__all__ = ["all_controllers"]
