"""Show Namespaces, Nodes, Events, configuration and Leases as kubectl does."""

from __future__ import annotations

from typing import Any

from grandstand.kinds import Object

from .age import since
from .layout import AGE, NAME, NONE, Column, Layout, age_of, items, name_of, part

_ROLE_LABEL = "node-role.kubernetes.io/"
_UNKNOWN = "<unknown>"


def _namespace(namespace: Object, now: float) -> list[Any]:
    return [name_of(namespace), part(namespace, "status").get("phase") or "", age_of(namespace, now)]


def _config_map(config_map: Object, now: float) -> list[Any]:
    keys = len(part(config_map, "data")) + len(part(config_map, "binaryData"))
    return [name_of(config_map), keys, age_of(config_map, now)]


def _secret(secret: Object, now: float) -> list[Any]:
    return [name_of(secret), secret.get("type") or "", len(part(secret, "data")), age_of(secret, now)]


def _service_account(account: Object, now: float) -> list[Any]:
    return [name_of(account), len(items(account, "secrets")), age_of(account, now)]


def _lease(lease: Object, now: float) -> list[Any]:
    return [name_of(lease), part(lease, "spec").get("holderIdentity") or "", age_of(lease, now)]


def _node(node: Object, now: float) -> list[Any]:
    info = part(part(node, "status"), "nodeInfo")
    return [
        name_of(node),
        _node_status(node),
        _roles(part(part(node, "metadata"), "labels")),
        age_of(node, now),
        info.get("kubeletVersion") or "",
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        info.get("osImage") or _UNKNOWN,
        info.get("kernelVersion") or _UNKNOWN,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]


def _node_status(node: Object) -> str:
    conditions = items(part(node, "status"), "conditions")
    ready = next((condition.get("status") for condition in conditions if condition.get("type") == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if part(node, "spec").get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(labels: Object) -> str:
    roles = {label.removeprefix(_ROLE_LABEL) for label in labels if label.startswith(_ROLE_LABEL)}
    if role := labels.get("kubernetes.io/role"):
        roles.add(role)
    return ",".join(sorted(roles - {""})) or NONE


def _address(node: Object, kind: str) -> str:
    addresses = items(part(node, "status"), "addresses")
    return next((str(address.get("address")) for address in addresses if address.get("type") == kind), NONE)


def _event(event: Object, now: float) -> list[Any]:
    about, series = part(event, "involvedObject"), part(event, "series")
    first = event.get("firstTimestamp") or event.get("eventTime")
    last = series.get("lastObservedTime") or event.get("lastTimestamp") or first
    return [
        since(last, now),
        event.get("type") or "",
        event.get("reason") or "",
        "/".join(filter(None, ((about.get("kind") or "").lower(), about.get("name") or ""))),
        about.get("fieldPath") or "",
        _event_source(event),
        (event.get("message") or "").strip(),
        since(first, now),
        series.get("count") or event.get("count") or 1,
        name_of(event),
    ]


def _event_source(event: Object) -> str:
    source = part(event, "source")
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return ", ".join(filter(None, (component, host)))


NAMESPACES = Layout((NAME, Column("Status", "Whether the namespace is in use or going away."), AGE), _namespace)
CONFIG_MAPS = Layout((NAME, Column("Data", "How many keys there are.", "integer"), AGE), _config_map)
SECRETS = Layout(
    (NAME, Column("Type", "What the Secret is for."), Column("Data", "How many keys there are.", "integer"), AGE),
    _secret,
)
SERVICE_ACCOUNTS = Layout((NAME, Column("Secrets", "How many Secrets it names.", "integer"), AGE), _service_account)
LEASES = Layout((NAME, Column("Holder", "Who holds the Lease."), AGE), _lease)
NODES = Layout(
    (
        NAME,
        Column("Status", "Whether the node is ready, and takes Pods."),
        Column("Roles", "The roles of the node."),
        AGE,
        Column("Version", "The version of the node's agent."),
        Column("Internal-IP", "The node's address.", wide=True),
        Column("External-IP", "The node's address outside.", wide=True),
        Column("OS-Image", "The operating system.", wide=True),
        Column("Kernel-Version", "The kernel.", wide=True),
        Column("Container-Runtime", "The container runtime and its version.", wide=True),
    ),
    _node,
)
EVENTS = Layout(
    (
        Column("Last Seen", "When it last happened."),
        Column("Type", "Normal or Warning."),
        Column("Reason", "What happened, in one word."),
        Column("Object", "What it happened to."),
        Column("Subobject", "The part of the object that it happened to.", wide=True),
        Column("Source", "Who says so.", wide=True),
        Column("Message", "What happened, in a sentence."),
        Column("First Seen", "When it first happened.", wide=True),
        Column("Count", "How often it happened.", "integer", wide=True),
        Column("Name", "Name must be unique within a namespace.", wide=True),
    ),
    _event,
)
