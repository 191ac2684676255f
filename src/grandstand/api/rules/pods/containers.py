"""Check the containers of a Pod: names, images, ports, and all that they hold."""

from __future__ import annotations

from grandstand.api.rules import names
from grandstand.api.rules.fields import (
    Causes,
    check_choice,
    check_name,
    check_port_number,
    duplicate,
    forbidden,
    indexed,
    invalid,
    items,
    not_supported,
    part,
    required,
)
from grandstand.api.rules.quantities import check_requirements
from grandstand.kinds import Object

from .environment import check_environment
from .handlers import check_lifecycle, check_probes, check_sleep_against_grace
from .refused import REFUSED_IN_CONTAINER, check_refused
from .security import check_container_security, check_working_directory
from .volumes import check_mounts, volume_names

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def check_containers(spec: Object, path: str) -> Causes:
    if not items(spec, "containers"):
        yield required(f"{path}.containers")
    seen: set[str] = set()
    everything = [(where, container, False) for where, container in indexed(spec, "containers", path)]
    everything += [(where, container, True) for where, container in indexed(spec, "initContainers", path)]
    for where, container, is_init in everything:
        name = container.get("name") or ""
        if name and name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        yield from _check_container(container, where, spec)
        yield from (_check_init(container, where, spec) if is_init else _check_main(container, where, spec))
    yield from _check_host_ports(spec, path)


def _check_container(container: Object, path: str, spec: Object) -> Causes:
    yield from _check_identity(container, path)
    yield from check_choice(container, "terminationMessagePolicy", path, ("FallbackToLogsOnError", "File"))
    yield from check_choice(container, "imagePullPolicy", path, PULL_POLICIES)
    yield from _check_ports(container, path, spec)
    yield from check_environment(container, path)
    yield from check_requirements(part(container, "resources"), f"{path}.resources")
    yield from check_mounts(container, path, volume_names(spec))
    yield from check_container_security(container, path)
    yield from check_working_directory(container, path)
    yield from check_refused(container, path, REFUSED_IN_CONTAINER)


def _check_identity(container: Object, path: str) -> Causes:
    name, image = container.get("name") or "", container.get("image") or ""
    if not name:
        yield required(f"{path}.name")
    else:
        yield from check_name(f"{path}.name", name, names.dns_label(name))
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")


def _check_life(container: Object, path: str, spec: Object) -> Causes:
    """What only containers that are meant to stay may have."""
    yield from check_probes(container, path)
    system = part(spec, "os").get("name") or ""
    yield from check_lifecycle(part(container, "lifecycle"), f"{path}.lifecycle", system)
    yield from check_sleep_against_grace(container, path, spec.get("terminationGracePeriodSeconds", 30))


def _check_main(container: Object, path: str, spec: Object) -> Causes:
    yield from _check_life(container, path, spec)
    if container.get("restartPolicy"):
        yield forbidden(
            f"{path}.restartPolicy", "restart policies of single containers are not supported: use that of the Pod"
        )


def _check_init(container: Object, path: str, spec: Object) -> Causes:
    """An init container ends before the next starts; with `restartPolicy: Always` it is a sidecar, and stays."""
    policy = container.get("restartPolicy") or ""
    if policy == "Always":
        yield from _check_life(container, path, spec)
        return
    if policy:
        yield not_supported(f"{path}.restartPolicy", policy, ("Always",))
    if container.get("lifecycle"):
        yield forbidden(f"{path}.lifecycle", "may not be set for init containers without restartPolicy=Always")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is not None:
            yield forbidden(f"{path}.{probe}", "may not be set for init containers without restartPolicy=Always")


def _check_ports(container: Object, path: str, spec: Object) -> Causes:
    seen: set[str] = set()
    for where, port in indexed(container, "ports", path):
        name, number = port.get("name") or "", port.get("containerPort") or 0
        if name:
            yield from check_name(f"{where}.name", name, names.port_name(name))
            if name in seen:
                yield duplicate(f"{where}.name", name)
            seen.add(name)
        if not number:
            yield required(f"{where}.containerPort")
        else:
            yield from check_port_number(f"{where}.containerPort", number)
        yield from check_choice(port, "protocol", where, _PROTOCOLS)
        yield from _check_host_port(port, where, host_network=bool(spec.get("hostNetwork")))


def _check_host_port(port: Object, path: str, *, host_network: bool) -> Causes:
    host_port = port.get("hostPort") or 0
    if host_port:
        yield from check_port_number(f"{path}.hostPort", host_port)
    if host_network and host_port != (port.get("containerPort") or 0):
        yield invalid(f"{path}.hostPort", host_port, "must match `containerPort` when `hostNetwork` is true")
    if address := port.get("hostIP"):
        yield from check_name(f"{path}.hostIP", address, names.ipv4(address))


def _check_host_ports(spec: Object, path: str) -> Causes:
    """Two containers of a Pod cannot have the same port of the machine."""
    taken: set[tuple[str, str, int]] = set()
    for where, container in indexed(spec, "containers", path):
        for port_path, port in indexed(container, "ports", where):
            if not port.get("hostPort"):
                continue
            claim = (port.get("protocol") or "TCP", port.get("hostIP") or "", port["hostPort"])
            if claim in taken:
                yield duplicate(f"{port_path}.hostPort", "/".join(str(step) for step in claim))
            taken.add(claim)
