"""`grandstand logs`: what a Pod's container wrote."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from grandstand.client.remote import RemoteClient
from grandstand.errors import NotFound
from grandstand.kinds import Resource
from grandstand.kinds.resources import PODS

from .log_targets import best_pod, selector_text, target_of
from .objects import call
from .options import data_option, namespace_option, option

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """A duration such as 90s, 15m or 2h, in seconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+)([smh])", str(value))
        if match is None:
            self.fail(f"{value!r} is no duration: write a number and s, m or h, e.g. 15m", param, ctx)
        return int(match[1]) * UNIT_SECONDS[match[2]]


@click.command()
@data_option
@namespace_option
@option("--container", "-c", default="", help="The container, where the Pod has several.")
@option("--follow", "-f", is_flag=True, help="Go on as the container writes.")
@option("--previous", "-p", is_flag=True, help="Of the container's run before the last restart.")
@option("--tail", type=click.IntRange(min=0), help="Only the last so many lines.")
@option("--since", type=Duration(), help="Only what is younger, e.g. 15m.")
@option("--timestamps", is_flag=True, help="With the time of each line.")
@click.argument("target", metavar="POD|TYPE/NAME")
def logs(
    data: Path,
    namespace: str,
    container: str,
    follow: bool,
    previous: bool,
    tail: int | None,
    since: int | None,
    timestamps: bool,
    target: str,
) -> None:
    """Print what a container of a POD wrote, or one of the Pods of deploy/NAME, rs/NAME or svc/NAME."""
    resource, name = target_of(target)

    async def run(client: RemoteClient) -> None:
        pod = await _pod_of(client, resource, namespace, name)
        chunks = client.pod_logs(
            namespace,
            pod,
            container=container,
            follow=follow,
            previous=previous,
            tail_lines=tail,
            since_seconds=since,
            timestamps=timestamps,
        )
        async for chunk in chunks:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

    call(data, run)


async def _pod_of(client: RemoteClient, resource: Resource, namespace: str, name: str) -> str:
    """The Pod itself, or the one to show of a workload; which one that is goes to stderr, as with kubectl."""
    if resource is PODS:
        return name
    workload = await client.get(resource, namespace, name)
    found = (await client.list(PODS, namespace, labels=selector_text(resource, workload))).items
    pod = best_pod(found)
    if pod is None:
        raise NotFound(f"{resource.singular}/{name} has no Pods at the moment: `grandstand get pods` shows all.")
    if len(found) > 1:
        click.echo(f"Found {len(found)} pods, using pod/{pod}", err=True)
    return pod
