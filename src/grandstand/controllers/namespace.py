"""Empty namespaces that are being deleted, and furnish new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from grandstand.client import Client
from grandstand.kinds import Key, Namespace, Object, Resource, is_deleting, key_of, uid_of
from grandstand.kinds.resources import CONFIG_MAPS, NAMESPACES, RESOURCES, SERVICE_ACCOUNTS
from grandstand.reconcile.actions import Action, Create, Delete, InBatches, Patch, Update
from grandstand.reconcile.caches import Caches
from grandstand.reconcile.runner import Controller

from . import status

FINALIZER = "kubernetes"
ROOT_CA = "kube-root-ca.crt"
NAMESPACED = tuple(resource for resource in RESOURCES if resource.namespaced)


@dataclass(frozen=True, slots=True)
class Content:
    resource: Resource
    object: Object


@dataclass(frozen=True, slots=True)
class Seen:
    """`contents`: what is in a namespace that is being deleted. `root_ca`: the certificate that Pods find the API by.

    `accounts` and `root_ca_map`: the default ServiceAccount and the ConfigMap of the certificate, if they are there.
    """

    raw: Object
    contents: Sequence[Content]
    account: Object | None
    root_ca_map: Object | None
    root_ca: str | None
    now: float


def reconcile(wanted: Namespace, seen: Seen) -> list[Action]:
    """Delete everything in a namespace that is to go, and let it go when it is empty; furnish any other."""
    if wanted.metadata.deletion_timestamp is None:
        return [*_account(wanted, seen), *_root_ca(wanted, seen)]
    if FINALIZER not in wanted.spec.finalizers:
        return []
    if seen.contents:
        return [*_emptied(seen), *_remaining(wanted, seen)]
    rest = [name for name in wanted.spec.finalizers if name != FINALIZER]
    finalized = seen.raw | {"spec": seen.raw["spec"] | {"finalizers": rest}}
    return [Update(NAMESPACES, finalized, subresource="finalize")]


def _account(wanted: Namespace, seen: Seen) -> list[Action]:
    if seen.account is not None:
        return []
    return [Create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": wanted.metadata.name}})]


def _root_ca(wanted: Namespace, seen: Seen) -> list[Action]:
    if seen.root_ca is None:
        return []
    data = {"ca.crt": seen.root_ca}
    if seen.root_ca_map is None:
        return [Create(CONFIG_MAPS, {"metadata": {"name": ROOT_CA, "namespace": wanted.metadata.name}, "data": data})]
    if seen.root_ca_map.get("data") == data:
        return []
    changes = {"data": dict.fromkeys(seen.root_ca_map.get("data") or {}) | data}
    return [Patch(CONFIG_MAPS, key_of(seen.root_ca_map), changes, uid=uid_of(seen.root_ca_map))]


def _emptied(seen: Seen) -> list[Action]:
    doomed = tuple(
        Delete(content.resource, key_of(content.object), uid_of(content.object))
        for content in seen.contents
        if not is_deleting(content.object)
    )
    return [InBatches(doomed)] if doomed else []


def _remaining(wanted: Namespace, seen: Seen) -> list[Action]:
    """Say what is still there: without numbers, which would have the status written for every object that goes."""
    kinds = ", ".join(sorted({content.resource.qualified for content in seen.contents}))
    finalizers = Counter(name for c in seen.contents for name in c.object["metadata"].get("finalizers") or ())
    before = seen.raw.get("status") or {}
    conditions = status.with_condition(
        before.get("conditions") or [],
        "NamespaceContentRemaining",
        "True",
        "SomeResourcesRemain",
        f"Some resources are remaining: {kinds}",
        seen.now,
    )
    if finalizers:
        text = f"Some content in the namespace has finalizers remaining: {', '.join(sorted(finalizers))}"
        said = ("True", "SomeFinalizersRemain", text)
    else:
        said = ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    conditions = status.with_condition(conditions, "NamespaceFinalizersRemaining", *said, seen.now)
    return [*status.status_changes(NAMESPACES, wanted.metadata, before, {"conditions": conditions})]


class Sight:
    """Finds what is in a namespace."""

    def __init__(self, client: Client, caches: Caches, root_ca: str | None) -> None:
        self._client = client
        self._root_ca = root_ca
        self._namespaces = caches.table(NAMESPACES, Namespace)
        self._informers = {resource: caches.informer(resource) for resource in NAMESPACED}
        self._contents: dict[str, dict[tuple[Resource, Key], Object]] = {}
        for resource, informer in self._informers.items():
            informer.subscribe(partial(self._take, resource))

    async def look(self, key: Key, now: float) -> tuple[Namespace, Seen] | None:
        wanted, raw = self._namespaces.get(key), self._namespaces.object(key)
        if wanted is None or raw is None:
            return None
        contents: list[Content] = []
        if wanted.metadata.deletion_timestamp is not None:
            known = self._contents.get(key.name, {})
            contents = [Content(resource, obj) for (resource, _), obj in known.items()]
            contents = contents or await self._listed(key.name)
        account = self._informers[SERVICE_ACCOUNTS].get(Key(key.name, "default"))
        root_ca_map = self._informers[CONFIG_MAPS].get(Key(key.name, ROOT_CA))
        return wanted, Seen(raw, contents, account, root_ca_map, self._root_ca, now)

    async def _listed(self, namespace: str) -> list[Content]:
        """Ask the API itself: a lagging cache may look empty, and what is left behind would be lost for good."""
        found = []
        for resource in NAMESPACED:
            found += [Content(resource, obj) for obj in (await self._client.list(resource, namespace)).items]
        return found

    def of_namespace(self, before: Object | None, after: Object | None) -> Iterable[Key]:
        return [key_of(after)] if after is not None else []

    def of_content(self, resource: Resource, before: Object | None, after: Object | None) -> Iterable[Key]:
        """A namespace that waits to be empty, or whose furniture changed."""
        meta = (after or before or {})["metadata"]
        key = Key("", meta["namespace"])
        wanted = self._namespaces.get(key)
        if wanted is None:
            return ()
        leaving = wanted.metadata.deletion_timestamp is not None and (before is None or after is None)
        furniture = (resource, meta["name"]) in ((SERVICE_ACCOUNTS, "default"), (CONFIG_MAPS, ROOT_CA))
        return (key,) if leaving or furniture else ()

    def _take(self, resource: Resource, key: Key, before: Object | None, after: Object | None) -> None:
        contents = self._contents.setdefault(key.namespace, {})
        if after is not None:
            contents[resource, key] = after
        else:
            contents.pop((resource, key), None)
        if not contents:
            del self._contents[key.namespace]


def controller(client: Client, caches: Caches, root_ca: str | None = None) -> Controller[Key, Namespace, Seen]:
    """The description for the runner. With a CA, every namespace gets the ConfigMap `kube-root-ca.crt`."""
    sight = Sight(client, caches, root_ca)
    watches: dict[Resource, Callable[[Object | None, Object | None], Iterable[Key]]] = {
        resource: partial(sight.of_content, resource) for resource in NAMESPACED
    }
    watches[NAMESPACES] = sight.of_namespace
    return Controller("namespace", watches, sight.look, reconcile)
