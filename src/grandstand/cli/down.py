"""`grandstand down`: end the engine of a data directory, and what it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from grandstand import engine as engines
from grandstand.errors import NotFound

from . import lock
from .machine import check_root
from .options import data_option, option

STOP_SECONDS = 30.0


@click.command()
@data_option
@option("--keep-containers", is_flag=True, help="End only the control plane: containers and gateway go on serving.")
def down(data: Path, keep_containers: bool) -> None:
    """Stop the platform; containers get their grace period, and leave nothing behind on the machine.

    Objects, images and logs stay in the data directory: the next `up` starts the same workloads again.
    """
    check_root("down")
    engine = engines.load(data)
    if engine is None:
        raise NotFound(f"There is no engine in {data}: nothing to stop.")
    was_running = lock.end(data, STOP_SECONDS)
    if keep_containers:
        click.echo(
            "The control plane has stopped; containers and gateway go on. `grandstand up` takes them over again."
        )
        return
    from .embedded import remove_all

    click.echo("Stopping containers; each has its grace period (30 s, where its Pod does not say otherwise).")
    with lock.held(data):
        asyncio.run(remove_all(engine))
    click.echo("Grandstand is down." if was_running else "Grandstand was not running; what it had left is removed.")
