"""The environment of a container: service links, `envFrom`, `env` with every `valueFrom`, `$(VAR)`. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from grandstand.kinds import Container, Object, Pod, Service
from grandstand.kinds.pods import EnvFromSource, EnvVarSource, KeySelector, SourceRef

from .fields import Place, field_value, resource_value


class MissingSource(LookupError):
    """A ConfigMap, Secret or key that a container needs does not exist (yet); the message is Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The ConfigMaps, Secrets (by name) and Services of a Pod's namespace; `None` inside: known not to exist."""

    config_maps: Mapping[str, Object | None]
    secrets: Mapping[str, Object | None]
    services: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables, and the keys of `envFrom` sources that cannot be variable names."""

    variables: Mapping[str, str]
    skipped: tuple[str, ...] = ()


def environment(pod: Pod, container: Container, sources: Sources, place: Place) -> Environment:
    """What `env`, `envFrom` and Services give. Raises MissingSource, and NoSuchField for a bad reference."""
    found = dict(_service_links(pod, sources.services))
    skipped: list[str] = []
    for source in container.env_from:
        for key, value in _all_of(source, sources).items():
            name = source.prefix + key
            if _is_name(name):
                found[name] = value
            else:
                skipped.append(name)
    for variable in container.env:
        if variable.value_from is not None:
            value_or_none = _from_source(pod, container, variable.value_from, sources, place)
            if value_or_none is not None:
                found[variable.name] = value_or_none
        else:
            found[variable.name] = expand(variable.value or "", found)
    return Environment(found, tuple(skipped))


def _from_source(pod: Pod, container: Container, source: EnvVarSource, sources: Sources, place: Place) -> str | None:
    """The value of a `valueFrom`; None: an optional source is not there, and the variable is left out."""
    if source.field_ref is not None:
        return field_value(pod, place, source.field_ref.field_path)
    if source.resource_field_ref is not None:
        return resource_value(pod, place, source.resource_field_ref, container)
    if source.config_map_key_ref is not None:
        config_map = _found("configmap", source.config_map_key_ref, sources.config_maps)
        return _key("ConfigMap", pod, source.config_map_key_ref, _texts(config_map, config_map_contents))
    if source.secret_key_ref is not None:
        secret = _found("secret", source.secret_key_ref, sources.secrets)
        return _key("Secret", pod, source.secret_key_ref, _texts(secret, secret_contents))
    raise MissingSource("valueFrom names no source: use configMapKeyRef, secretKeyRef, fieldRef or resourceFieldRef")


def _all_of(source: EnvFromSource, sources: Sources) -> Mapping[str, str]:
    if source.config_map_ref is not None:
        return _texts(_found("configmap", source.config_map_ref, sources.config_maps), config_map_contents)
    if source.secret_ref is not None:
        return _texts(_found("secret", source.secret_ref, sources.secrets), secret_contents)
    return {}


def _found(kind: str, ref: SourceRef | KeySelector, objects: Mapping[str, Object | None]) -> Object | None:
    obj = objects.get(ref.name)
    if obj is None and not ref.optional:
        raise MissingSource(f'{kind} "{ref.name}" not found')
    return obj


def _key(kind: str, pod: Pod, ref: KeySelector, values: Mapping[str, str]) -> str | None:
    if ref.key in values or ref.optional:
        return values.get(ref.key)
    raise MissingSource(f"couldn't find key {ref.key} in {kind} {pod.metadata.namespace}/{ref.name}")


def _texts(obj: Object | None, contents: Callable[[Object], dict[str, bytes]]) -> Mapping[str, str]:
    """The values of a ConfigMap or Secret; bytes that are no UTF-8 come through to the program unchanged."""
    if obj is None:
        return {}
    return {key: value.decode(errors="surrogateescape") for key, value in contents(obj).items()}


def config_map_contents(obj: Object) -> dict[str, bytes]:
    """Every key of a ConfigMap: `data` as text, `binaryData` in base64."""
    plain = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return plain | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def secret_contents(obj: Object) -> dict[str, bytes]:
    """Every key of a Secret."""
    return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}


def _is_name(name: str) -> bool:
    return bool(name) and "=" not in name and name.isascii() and name.isprintable()


def _service_links(pod: Pod, services: Iterable[Service]) -> Iterable[tuple[str, str]]:
    """Docker-style variables: of the API always, of the namespace's Services when the Pod wants them."""
    for service in services:
        is_api = service.metadata.namespace == "default" and service.metadata.name == "kubernetes"
        wanted = pod.spec.enable_service_links and service.metadata.namespace == pod.metadata.namespace
        address = service.spec.cluster_ip
        if (is_api or wanted) and address not in ("", "None") and service.spec.ports:
            yield from _links_of(service, address)


def _links_of(service: Service, address: str) -> Iterable[tuple[str, str]]:
    name = re.sub(r"[^A-Z0-9]", "_", service.metadata.name.upper())
    ports = service.spec.ports
    yield f"{name}_SERVICE_HOST", address
    yield f"{name}_SERVICE_PORT", str(ports[0].port)
    for port in ports:
        if port.name:
            yield f"{name}_SERVICE_PORT_{re.sub(r'[^A-Z0-9]', '_', port.name.upper())}", str(port.port)
    yield f"{name}_PORT", f"{ports[0].protocol.lower()}://{address}:{ports[0].port}"
    for port in ports:
        protocol = port.protocol.lower()
        prefix = f"{name}_PORT_{port.port}_{protocol.upper()}"
        yield prefix, f"{protocol}://{address}:{port.port}"
        yield f"{prefix}_PROTO", protocol
        yield f"{prefix}_PORT", str(port.port)
        yield f"{prefix}_ADDR", address


_REFERENCE = re.compile(r"\$(?:(\$)|\(([^()]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; unknown names stay as they are, `$$` is a dollar sign."""

    def replacement(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)


def referenced(pod: Pod) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the ConfigMaps and of the Secrets that containers' environments need."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for source in container.env_from:
            config_maps.update(ref.name for ref in (source.config_map_ref,) if ref)
            secrets.update(ref.name for ref in (source.secret_ref,) if ref)
        for variable in container.env:
            if variable.value_from is not None:
                config_maps.update(ref.name for ref in (variable.value_from.config_map_key_ref,) if ref)
                secrets.update(ref.name for ref in (variable.value_from.secret_key_ref,) if ref)
    return frozenset(config_maps), frozenset(secrets)
