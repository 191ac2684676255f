"""Hand out ClusterIPs so that no two Services get the same one, not even while both are being written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from grandstand.api import addresses
from grandstand.api.refusals import invalid
from grandstand.api.store import Store
from grandstand.errors import Cause
from grandstand.kinds import Object
from grandstand.kinds.resources import SERVICES

API_SERVICE = ("default", "kubernetes")


class AddressClaims:
    """Every claim must be released when its write has ended: by then the store shows whether it holds."""

    def __init__(self, store: Store, network: IPv4Network, api_address: IPv4Address) -> None:
        self._store = store
        self._network = network
        self._api_address = str(api_address)
        self._claimed: dict[str, str] = {}
        """Address -> uid of the Service that is being written with it."""

    def claim(self, service: Object) -> Object:
        """The Service with the ClusterIP that it asked for, or any. Raises Invalid where it cannot have it."""
        wanted = addresses.wanted_address(service)
        if not addresses.needs_address(service):
            return service
        if wanted == addresses.HEADLESS:
            return addresses.with_address(service, wanted)
        taken = self._taken(service)
        address = wanted or addresses.free_address(self._network, taken, service["metadata"]["uid"])
        if cause := self._refusal(address, taken):
            raise invalid(SERVICES, service["metadata"]["name"], [cause])
        assert address is not None, "a missing address is a refusal"
        self._claimed[address] = service["metadata"]["uid"]
        return addresses.with_address(service, address)

    def release(self, service: Object) -> None:
        self._claimed.pop(addresses.wanted_address(service), None)

    def _taken(self, service: Object) -> set[str]:
        meta = service["metadata"]
        stored, _ = self._store.list(SERVICES.qualified)
        others = (item.object for item in stored if item.object["metadata"]["uid"] != meta["uid"])
        claimed = {address for address, uid in self._claimed.items() if uid != meta["uid"]}
        taken = addresses.taken_by(others) | claimed
        return taken if (meta.get("namespace"), meta["name"]) == API_SERVICE else taken | {self._api_address}

    def _refusal(self, address: str | None, taken: set[str]) -> Cause | None:
        if address is None:
            message = f"Invalid value: []: failed to allocate a serviceIP: no address of {self._network} is free"
            return Cause("FieldValueInvalid", message, "spec.clusterIPs")
        return addresses.refusal(address, self._network, taken)
