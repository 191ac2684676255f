"""Put the real parts of the node together."""

from __future__ import annotations

from grandstand.client import Client
from grandstand.clock import Clock
from grandstand.engine import Engine
from grandstand.kinds import Pod

from .cgroups import Cgroups
from .images import Images
from .machine import capacity
from .network import Network
from .parts import Drain, Events, Parts
from .rootfs import Rootfs
from .runtime import OciRuntime, Runtime, resolve_user


async def no_drain(pod: Pod, seconds: float) -> None:
    """For a node without a gateway."""


def real_parts(
    engine: Engine,
    client: Client,
    network: Network,
    events: Events,
    clock: Clock,
    drain: Drain = no_drain,
    oci: OciRuntime | None = None,
) -> Parts:
    """The parts of this machine; `oci` None finds the runtime. Raises NoRuntime or NoCgroups, with what to install."""
    cgroups = Cgroups.detect(clock=clock)
    return Parts(
        engine=engine,
        client=client,
        clock=clock,
        images=Images(engine.data, clock=clock),
        rootfs=Rootfs(engine.data),
        runtime=Runtime(engine.data, clock=clock, runtime=oci, cgroups=cgroups),
        network=network,
        cgroups=cgroups,
        events=events,
        drain=drain,
        resolve_user=resolve_user,
        capacity=capacity(),
    )
