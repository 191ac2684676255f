"""`grandstand rollout`: promote, abort, retry, undo and restart Rollouts, and see how they stand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from grandstand.client import PatchType
from grandstand.client.remote import RemoteClient
from grandstand.clock import SystemClock, rfc3339
from grandstand.errors import BadRequest
from grandstand.kinds import Object
from grandstand.kinds.resources import REPLICA_SETS, ROLLOUTS
from grandstand.kinds.rollouts import duration_seconds

from .objects import call
from .options import data_option, namespace_option, option, output_option
from .rollout_view import DONE, past, phase_of, shown, shown_past, summary, template_to_undo_to

Work = Callable[[RemoteClient, Object], Coroutine[Any, Any, None]]


@click.group()
def rollout() -> None:
    """Promote, abort, retry and undo the updates of Rollouts (argoproj.io/v1alpha1), and restart their Pods."""


@rollout.command()
@data_option
@namespace_option
@option("--full", is_flag=True, help="Skip the steps, pauses and analyses that are left.")
@click.argument("name")
def promote(data: Path, namespace: str, full: bool, name: str) -> None:
    """Go on with an update that is paused."""

    async def run(client: RemoteClient, found: Object) -> None:
        status = found.get("status") or {}
        if status.get("abort"):
            raise BadRequest(f"the update of rollout/{name} is aborted: `grandstand rollout retry {name}` first.")
        if found["spec"].get("paused"):
            await _spec(client, namespace, name, {"paused": False})
        if full:
            if status.get("currentPodHash") != status.get("stableRS"):
                await _status(client, namespace, name, {"promoteFull": True, "pauseConditions": None})
        elif status.get("pauseConditions"):
            await _status(client, namespace, name, {"pauseConditions": None})
        elif not found["spec"].get("paused"):
            raise BadRequest(f"rollout/{name} is not paused: `grandstand rollout status {name}` shows what it does.")
        click.echo(f"rollout/{name} {'fully ' if full else ''}promoted")

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@click.argument("name")
def abort(data: Path, namespace: str, name: str) -> None:
    """Go back to the stable version at once."""

    async def run(client: RemoteClient, found: Object) -> None:
        status = found.get("status") or {}
        if status.get("currentPodHash") == status.get("stableRS"):
            raise BadRequest(f"rollout/{name} is not being updated: `grandstand rollout undo {name}` goes back.")
        await _status(client, namespace, name, {"abort": True})
        click.echo(f"rollout/{name} aborted")

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@click.argument("name")
def retry(data: Path, namespace: str, name: str) -> None:
    """Try an aborted update again, from its first step."""

    async def run(client: RemoteClient, found: Object) -> None:
        if not (found.get("status") or {}).get("abort"):
            raise BadRequest(f"rollout/{name} is not aborted: there is nothing to try again.")
        await _status(client, namespace, name, {"abort": None, "abortedAt": None, "currentStepIndex": None})
        click.echo(f"rollout/{name} retried")

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@option("--to-revision", type=click.IntRange(min=1), help="The revision to go back to; without it, the one before.")
@click.argument("name")
def undo(data: Path, namespace: str, to_revision: int | None, name: str) -> None:
    """Roll out an earlier version; one that still runs is switched to at once."""

    async def run(client: RemoteClient, found: Object) -> None:
        if found["spec"].get("workloadRef"):
            raise BadRequest("its template is that of a Deployment: use `kubectl rollout undo deployment/NAME`.")
        template = template_to_undo_to(await _replica_sets(client, found), to_revision)
        replace = [{"op": "replace", "path": "/spec/template", "value": template}]
        await client.patch(ROLLOUTS, namespace, name, replace, PatchType.JSON)
        click.echo(f"rollout/{name} undone")

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@option("--in", "delay", help="When to begin, from now: seconds, or e.g. 30s, 5m or 1h30m.", default="0")
@click.argument("name")
def restart(data: Path, namespace: str, delay: str, name: str) -> None:
    """Replace all Pods by new ones of the same version, a few at a time."""

    async def run(client: RemoteClient, found: Object) -> None:
        try:
            at = rfc3339(SystemClock().now() + duration_seconds(delay))
        except ValueError as error:
            raise BadRequest(str(error)) from error
        await _spec(client, namespace, name, {"restartAt": at})
        click.echo(f"rollout/{name} restarts at {at}")

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@click.argument("name")
def pause(data: Path, namespace: str, name: str) -> None:
    """Let an update stand still where it is."""

    async def run(client: RemoteClient, found: Object) -> None:
        await _spec(client, namespace, name, {"paused": True})
        click.echo(f"rollout/{name} paused")

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@option("--watch", "-w", is_flag=True, help="Go on until the update has come to its end; exit code 1 for Degraded.")
@output_option("json")
@click.argument("name")
def status(data: Path, namespace: str, watch: bool, output: str | None, name: str) -> None:
    """Show how an update stands, and which versions there are."""

    async def run(client: RemoteClient, found: Object) -> None:
        await _print(client, found, output)
        if not watch:
            return
        version, fields = found["metadata"]["resourceVersion"], f"metadata.name={name}"
        phase = phase_of(found)
        said = (phase, (found.get("status") or {}).get("message"))
        if phase not in DONE:
            async for event in client.watch(ROLLOUTS, namespace, fields=fields, resource_version=version):
                phase = phase_of(event.object)
                now = (phase, (event.object.get("status") or {}).get("message"))
                if now != said:
                    said = now
                    await _print(client, event.object, output)
                if phase in DONE:
                    break
        if phase == "Degraded":
            sys.exit(1)

    _with(data, namespace, name, run)


@rollout.command()
@data_option
@namespace_option
@option("--revision", type=click.IntRange(min=1), help="Show the template of this revision.")
@output_option("json")
@click.argument("name")
def history(data: Path, namespace: str, revision: int | None, output: str | None, name: str) -> None:
    """Show the revisions that there are to go back to, or one of them whole."""

    async def run(client: RemoteClient, found: Object) -> None:
        made = past(found, await _replica_sets(client, found), revision)
        click.echo(json.dumps(made, indent=2) if output == "json" else shown_past(made))

    _with(data, namespace, name, run)


def _with(data: Path, namespace: str, name: str, work: Work) -> None:
    """Do something with a Rollout. Raises NotFound where there is none."""

    async def run(client: RemoteClient) -> None:
        await work(client, await client.get(ROLLOUTS, namespace, name))

    call(data, run)


async def _spec(client: RemoteClient, namespace: str, name: str, fields: Object) -> None:
    await client.patch(ROLLOUTS, namespace, name, {"spec": fields})


async def _status(client: RemoteClient, namespace: str, name: str, fields: Object) -> None:
    await client.patch(ROLLOUTS, namespace, name, {"status": fields}, subresource="status")


async def _replica_sets(client: RemoteClient, found: Object) -> list[Object]:
    owned = (await client.list(REPLICA_SETS, found["metadata"]["namespace"])).items
    uid = found["metadata"]["uid"]
    return [each for each in owned if any(o["uid"] == uid for o in each["metadata"].get("ownerReferences") or ())]


async def _print(client: RemoteClient, found: Object, output: str | None) -> None:
    made = summary(found, await _replica_sets(client, found))
    click.echo(json.dumps(made, indent=2) if output == "json" else shown(made) + "\n")
