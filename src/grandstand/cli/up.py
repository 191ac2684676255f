"""`grandstand up`: start the engine of a data directory, here or in the background."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from grandstand import engine as engines
from grandstand.engine import Engine
from grandstand.errors import PeerError

from . import lock
from .composition import Options
from .log_file import LogFile
from .machine import check_port, check_programs, check_root, free_port, is_free
from .options import data_option, option, output_option
from .places import describe, places

DEFAULT_API_PORT = 6443
DEFAULT_GATEWAY_PORT = 8080
DEFAULT_GATEWAY_TLS_PORT = 8443
DEFAULT_LAMBDA_PORT = 9001

AUTOSCALER_PERIOD_SECONDS = 1.0
"""Kubernetes takes 15 s."""

MALLOC_ARENA_MAX = -8
"""Of malloc.h: how many heaps there may be."""

port_type = click.IntRange(0, 65535)


@click.command()
@data_option
@option(
    "--api-port", type=port_type, help=f"The API's port on loopback; 0 takes a free one [default: {DEFAULT_API_PORT}]."
)
@option(
    "--gateway-port",
    type=port_type,
    help=f"The gateway's HTTP port; 0 takes a free one [default: {DEFAULT_GATEWAY_PORT}].",
)
@option(
    "--gateway-tls-port",
    type=port_type,
    help=f"The gateway's TLS port; 0 takes a free one [default: {DEFAULT_GATEWAY_TLS_PORT}].",
)
@option(
    "--lambda-port",
    type=port_type,
    help=f"The port of AWS Lambda's API; 0 takes a free one [default: {DEFAULT_LAMBDA_PORT}, or a free one].",
)
@option(
    "--lambda-auth",
    type=click.Choice(["sigv4", "none"]),
    help="Who may use Lambda's API: who signs with the engine's access key, or whoever reaches the port on loopback"
    " [default: sigv4].",
)
@option(
    "--autoscaler-period",
    type=click.FloatRange(min=0.1),
    help=f"Seconds between two looks at an autoscaler [default: {AUTOSCALER_PERIOD_SECONDS:g}].",
)
@option("--detach", is_flag=True, help="Return when the engine is ready; it goes on in the background.")
@output_option("json")
@option("--ready-descriptor", type=int, hidden=True, help="Write to this descriptor when ready (used by --detach).")
def up(
    data: Path,
    api_port: int | None,
    gateway_port: int | None,
    gateway_tls_port: int | None,
    lambda_port: int | None,
    lambda_auth: str | None,
    autoscaler_period: float | None,
    detach: bool,
    output: str | None,
    ready_descriptor: int | None,
) -> None:
    """Start the platform: API, controllers, node and gateway on this machine.

    A second start on the same data directory uses the same ports, and takes over the containers that run.
    """
    check_root("up")
    check_programs()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    data.chmod(0o700)
    if detach:
        if (pid := lock.owner(data)) is not None:
            raise lock.AlreadyRunning(
                f"An engine already runs on {data} (process {pid}); `grandstand status --data {data}` shows it."
            )
        given = {
            "--api-port": api_port,
            "--gateway-port": gateway_port,
            "--gateway-tls-port": gateway_tls_port,
            "--lambda-port": lambda_port,
            "--lambda-auth": lambda_auth,
            "--autoscaler-period": autoscaler_period,
        }
        _start_detached(data, given)
        engine = engines.load(data)
        assert engine is not None
        click.echo(_say(engine, output))
        return
    with lock.held(data):
        engine = settle(data, api_port, gateway_port, gateway_tls_port, lambda_port)
        how = Options(autoscaler_period or AUTOSCALER_PERIOD_SECONDS, lambda_auth != "none")
        _run(engine, how, ready_descriptor, output)


def settle(
    data: Path,
    api_port: int | None,
    gateway_port: int | None,
    gateway_tls_port: int | None,
    lambda_port: int | None = None,
) -> Engine:
    """The engine of a data directory: ports as asked, else as before, else the defaults; saved for the next start."""
    from grandstand.gateway import gateway_runs
    from grandstand.node.network import taken_networks

    before = engines.load(data)
    network = before.network if before else engines.choose_network(data, taken_networks())
    engine = Engine(
        data.resolve(),
        network,
        _port(api_port, before.api_port if before else None, DEFAULT_API_PORT),
        _port(gateway_port, before.gateway_port if before else None, DEFAULT_GATEWAY_PORT),
        _port(gateway_tls_port, before.gateway_tls_port if before else None, DEFAULT_GATEWAY_TLS_PORT),
        _port(lambda_port, before.lambda_port if before else None, DEFAULT_LAMBDA_PORT),
    )
    if lambda_port is None and not is_free(engine.lambda_port):
        engine = replace(engine, lambda_port=free_port())
    check_port(engine.lambda_port, "--lambda-port")
    check_port(engine.api_port, "--api-port")
    if not gateway_runs(engine):
        check_port(engine.gateway_port, "--gateway-port")
        check_port(engine.gateway_tls_port, "--gateway-tls-port")
    engine.save()
    return engine


def _port(asked: int | None, before: int | None, default: int) -> int:
    if asked == 0:
        return free_port()
    return asked or before or default


def _run(engine: Engine, how: Options, ready_descriptor: int | None, output: str | None) -> None:
    import uvloop

    from .embedded import serve

    _keep_memory_together()
    # Detached, it writes to a file that nobody else keeps small.
    handler = logging.StreamHandler() if ready_descriptor is None else LogFile(engine.data / "engine.log", (1, 2))
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(format=form, level=logging.INFO, handlers=[handler])

    def ready() -> None:
        if ready_descriptor is None:
            click.echo(_say(engine, output))
        else:
            os.write(ready_descriptor, b"ready\n")
            os.close(ready_descriptor)

    uvloop.run(serve(engine, ready, how))


def _keep_memory_together() -> None:
    """Let all threads of this process allocate from two heaps.

    glibc gives up to eight per core a heap of its own, and keeps what was freed in each. Measured: 80 instead of 89 MB
    after a start, 111 instead of 117 MB after 160 Pods came and went.
    """
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, "mallopt"):  # not musl, which has one heap
        allocator.mallopt(MALLOC_ARENA_MAX, 2)


def _start_detached(data: Path, options: Mapping[str, float | str | None]) -> None:
    """Start the engine as a process of its own, and return when it says that it is ready.

    Raises PeerError with the end of its log when it ends before.
    """
    given = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "grandstand.cli", "up", "--data", str(data), *given]
    log_path = data / "engine.log"
    # Whatever stands in it, it is for nobody else's eyes.
    with os.fdopen(os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as log:
        start = log.tell()
        subprocess.Popen(
            [*command, "--ready-descriptor", str(write_end)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write_end,),
            start_new_session=True,
            cwd="/",
        )
    os.close(write_end)
    with open(read_end, "rb") as ready:  # noqa: PTH123  (a descriptor, not a path)
        said = ready.read()
    if not said:
        with log_path.open("rb") as log:
            log.seek(start if start <= log_path.stat().st_size else 0)  # 0: a new file was begun meanwhile
            said_last = log.read().decode(errors="replace").strip().splitlines()[-15:]
        raise PeerError("The engine did not start. It said:\n" + "\n".join(f"  {line}" for line in said_last))


def _say(engine: Engine, output: str | None) -> str:
    return json.dumps(places(engine)) if output == "json" else describe(engine, "Grandstand is up.")
