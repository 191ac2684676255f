"""The ConfigMaps, Secrets and Services that Pods refer to: a cache, and a word to those whom a change concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grandstand.client import Client
from grandstand.errors import NotFound
from grandstand.kinds import Key, Object, Pod, Resource, Service, view
from grandstand.kinds.resources import CONFIG_MAPS, SECRETS, SERVICES
from grandstand.reconcile.informer import Informer

from . import environment, volumes
from .environment import Sources

Concerned = Callable[[str, Resource, str], None]
"""Called with a namespace, a resource and the name of an object that changed."""


class SourceCache:
    """Kept current by informers, which its owner runs. A name that is not in the cache is asked for: caches lag."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.config_maps = Informer(client, CONFIG_MAPS)
        self.secrets = Informer(client, SECRETS)
        self.services = Informer(client, SERVICES)

    @property
    def informers(self) -> tuple[Informer, ...]:
        return self.config_maps, self.secrets, self.services

    def subscribe(self, concerned: Concerned) -> None:
        for informer in (self.config_maps, self.secrets):
            informer.subscribe(_changed(informer.resource, concerned))

    async def of(self, pod: Pod) -> Sources:
        """What a Pod refers to, as it is now."""
        namespace = pod.metadata.namespace
        config_maps, secrets = references(pod)
        return Sources(
            {name: await self._find(self.config_maps, namespace, name) for name in config_maps},
            {name: await self._find(self.secrets, namespace, name) for name in secrets},
            tuple(view(Service, obj) for obj in self._services_of(namespace)),
        )

    def _services_of(self, namespace: str) -> Iterable[Object]:
        """The namespace's own, and the API's."""
        cache = self.services.cache
        return [cache[key] for key in sorted(cache) if key.namespace == namespace or key == ("default", "kubernetes")]

    async def _find(self, informer: Informer, namespace: str, name: str) -> Object | None:
        cached = informer.get(Key(namespace, name))
        if cached is not None:
            return cached
        try:
            return await self._client.get(informer.resource, namespace, name)
        except NotFound:
            return None


def _changed(resource: Resource, concerned: Concerned) -> Callable[[Key, Object | None, Object | None], None]:
    def on_change(key: Key, before: Object | None, after: Object | None) -> None:
        concerned(key.namespace, resource, key.name)

    return on_change


def references(pod: Pod) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the ConfigMaps and of the Secrets that a Pod refers to anywhere."""
    of_env, of_volumes = environment.referenced(pod), volumes.referenced(pod.spec.volumes)
    return of_env[0] | of_volumes[0], of_env[1] | of_volumes[1]
