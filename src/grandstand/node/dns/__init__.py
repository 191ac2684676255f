"""DNS for Pods: the names of Services and Pods, and the way to all other names."""

from __future__ import annotations

from grandstand.clock import Clock
from grandstand.engine import Engine
from grandstand.reconcile.informer import Informer

from .forwarder import Forwarder, ResolverFile
from .names import Names
from .server import NameServer

__all__ = ["Forwarder", "NameServer", "Names", "ResolverFile", "name_server"]


def name_server(engine: Engine, services: Informer, slices: Informer, pods: Informer, *, clock: Clock) -> NameServer:
    """The name server of an engine: start it when the network is up and the informers are synced."""
    address = str(engine.bridge_address)
    return NameServer(Names(services, slices, pods).zone, Forwarder(ResolverFile((address,)), clock=clock), address)
