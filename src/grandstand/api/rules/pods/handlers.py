"""Check probes and lifecycle hooks."""

from __future__ import annotations

import signal
from typing import Any

from grandstand.api.rules import names
from grandstand.api.rules.fields import (
    Causes,
    check_choice,
    check_name,
    check_non_negative,
    check_port_number,
    forbidden,
    indexed,
    invalid,
    items,
    part,
    required,
)
from grandstand.kinds import Object

_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_SIGNALS = frozenset(
    (
        *signal.Signals.__members__,
        *(f"SIGRTMIN+{offset}" for offset in range(1, 16)),
        *(f"SIGRTMAX-{offset}" for offset in range(1, 15)),
    )
)


def check_probes(container: Object, path: str) -> Causes:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is None:
            continue
        yield from _check_probe(probe, f"{path}.{name}")
        if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
            yield invalid(f"{path}.{name}.successThreshold", probe["successThreshold"], "must be 1")
        elif name == "readinessProbe" and probe.get("terminationGracePeriodSeconds") is not None:
            yield invalid(
                f"{path}.{name}.terminationGracePeriodSeconds",
                probe["terminationGracePeriodSeconds"],
                "must not be set for readinessProbes",
            )


def _check_probe(probe: Object, path: str) -> Causes:
    yield from _check_handler(probe, path, _PROBE_HANDLERS)
    yield from check_non_negative(
        probe, path, "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"
    )
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def check_lifecycle(lifecycle: Object, path: str, operating_system: str) -> Causes:
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            yield from _check_handler(lifecycle[hook], f"{path}.{hook}", _HOOK_HANDLERS)
    if stop_signal := lifecycle.get("stopSignal"):
        if not operating_system:
            yield forbidden(f"{path}.stopSignal", "may not be set for containers with empty `spec.os.name`")
        elif stop_signal not in _SIGNALS:
            yield invalid(f"{path}.stopSignal", stop_signal, "must be the name of a Linux signal, such as SIGTERM")


def _check_handler(handler: Object, path: str, kinds: tuple[str, ...]) -> Causes:
    given = [kind for kind in kinds if handler.get(kind) is not None]
    if not given:
        yield required(path, "must specify a handler type")
    for kind in given[1:]:
        yield forbidden(f"{path}.{kind}", "may not specify more than 1 handler type")
    if given:
        yield from _CHECKS[given[0]](handler[given[0]], f"{path}.{given[0]}")


def _check_exec(action: Object, path: str) -> Causes:
    if not items(action, "command"):
        yield required(f"{path}.command")


def _check_http(action: Object, path: str) -> Causes:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from check_port(action.get("port", 0), f"{path}.port")
    yield from check_choice(action, "scheme", path, ("HTTP", "HTTPS"))
    for where, header in indexed(action, "httpHeaders", path):
        name = header.get("name") or ""
        yield from check_name(where, name, names.http_header(name))


def _check_tcp(action: Object, path: str) -> Causes:
    yield from check_port(action.get("port", 0), f"{path}.port")


def _check_grpc(action: Object, path: str) -> Causes:
    """Refused as a whole elsewhere."""
    yield from check_port_number(f"{path}.port", action.get("port", 0))


def _check_sleep(action: Object, path: str) -> Causes:
    if action.get("seconds", 0) < 0:
        yield invalid(f"{path}.seconds", action["seconds"], "must be greater than or equal to 0")


_CHECKS = {
    "exec": _check_exec,
    "httpGet": _check_http,
    "tcpSocket": _check_tcp,
    "grpc": _check_grpc,
    "sleep": _check_sleep,
}


def check_port(port: Any, path: str) -> Causes:
    """A port by number or by name."""
    if isinstance(port, str):
        yield from check_name(path, port, names.port_name(port))
    else:
        yield from check_port_number(path, port)


def check_sleep_against_grace(container: Object, path: str, grace_seconds: int) -> Causes:
    """A preStop that sleeps longer than the Pod has to end would be cut off in the middle."""
    seconds = part(part(part(container, "lifecycle"), "preStop"), "sleep").get("seconds", 0)
    if seconds > max(grace_seconds, 0):
        yield invalid(
            f"{path}.lifecycle.preStop.sleep",
            seconds,
            f"must be non-negative and less than terminationGracePeriodSeconds ({grace_seconds})",
        )
