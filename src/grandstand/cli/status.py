"""`grandstand status`: whether the engine runs, where it is, and how its workloads are."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from grandstand import engine as engines
from grandstand.client.remote import RemoteClient
from grandstand.engine import Engine
from grandstand.errors import GrandstandError, NotFound
from grandstand.kinds import Deployment, Pod, view
from grandstand.kinds.resources import DEPLOYMENTS, PODS

from . import lock
from .options import data_option, output_option
from .places import describe, places


@click.command()
@data_option
@output_option("json")
def status(data: Path, output: str | None) -> None:
    """Say whether the engine runs, where it is, and how its Deployments are. Exit code 3 when it does not run."""
    engine = engines.load(data)
    if engine is None:
        raise NotFound(f"There is no engine in {data}: start one with `grandstand up --data {data}`.")
    pid = lock.owner(data)
    found: dict[str, Any] = {"running": pid is not None, "process": pid, **places(engine)}
    if pid is not None:
        found |= asyncio.run(_seen(engine))
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(_for_people(engine, found))
    if pid is None:
        sys.exit(3)


async def _seen(engine: Engine) -> dict[str, Any]:
    """Each Deployment with its replicas, and the Pods that are not on their way out."""
    try:
        async with RemoteClient.from_kubeconfig(engine.kubeconfig) as client:
            deployments = [view(Deployment, obj) for obj in (await client.list(DEPLOYMENTS)).items]
            pods = [view(Pod, obj) for obj in (await client.list(PODS)).items]
    except GrandstandError as error:
        return {"error": error.message}
    staying = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    workloads = [
        {
            "namespace": d.metadata.namespace,
            "deployment": d.metadata.name,
            "ready": d.status.ready_replicas,
            "wanted": d.spec.replicas,
        }
        for d in deployments
    ]
    return {"workloads": workloads, "pods": {"total": len(staying), "ready": sum(pod.ready for pod in staying)}}


def _for_people(engine: Engine, found: dict[str, Any]) -> str:
    lines = [describe(engine, _head(engine, running=found["running"]))]
    lines += [
        f"  deployment   {row['namespace']}/{row['deployment']}  {row['ready']}/{row['wanted']} ready"
        for row in found.get("workloads", [])
    ]
    if (pods := found.get("pods")) is not None:
        lines.append(f"  Pods         {pods['ready']}/{pods['total']} ready")
    if "error" in found:
        lines.append(f"  the API does not answer: {found['error']}")
    return "\n".join(lines)


def _head(engine: Engine, *, running: bool) -> str:
    from grandstand.gateway import gateway_runs

    if running:
        return "Grandstand is up."
    if gateway_runs(engine):
        return "The engine does not run, but its containers and gateway go on; `grandstand up` takes them over."
    return "Grandstand does not run; `grandstand up` starts it."
