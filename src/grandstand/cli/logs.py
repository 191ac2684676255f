"""`grandstand logs`: what containers wrote."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click

from grandstand.client.remote import RemoteClient
from grandstand.clock import parse_time
from grandstand.errors import BadRequest, GrandstandError, NotFound
from grandstand.kinds import Object, Resource
from grandstand.kinds.resources import PODS

from .log_sources import Source, check_streams, sources_of
from .log_targets import best_pod, selector_text, target_of
from .objects import call
from .options import data_option, namespace_option, option

UNIT_SECONDS = {"h": 3600, "m": 60, "s": 1}
SELECTED_LINES = 10
"""The default of `--tail` with a selector, as in kubectl."""


class Duration(click.ParamType[int]):
    """A duration such as 90s, 15m or 1h30m, in seconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        parts = re.findall(r"(\d+)([hms])", text)
        if not parts or "".join(f"{number}{unit}" for number, unit in parts) != text:
            self.fail(f"{value!r} is no duration: write numbers with h, m or s, e.g. 15m or 1h30m", param, ctx)
        return sum(int(number) * UNIT_SECONDS[unit] for number, unit in parts)


class Time(click.ParamType[str]):
    """A moment such as 2026-11-27T09:30:00Z."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse_time(value)
        except ValueError:
            self.fail(f"{value!r} is no time of RFC 3339: write e.g. 2026-11-27T09:30:00Z", param, ctx)
        return value


@click.command()
@data_option
@namespace_option
@option("--container", "-c", default="", help="The container, where the Pod has several.")
@option("--all-containers", is_flag=True, help="All containers of the Pod.")
@option("--selector", "-l", default="", help="Of all Pods with these labels, instead of a target.")
@option("--prefix", is_flag=True, help="With Pod and container before each line.")
@option("--follow", "-f", is_flag=True, help="Go on as the containers write.")
@option(
    "--max-log-requests", type=click.IntRange(min=1), default=5, show_default=True, help="How many to follow at once."
)
@option("--ignore-errors", is_flag=True, help="Go on with the others where one log cannot be read.")
@option("--previous", "-p", is_flag=True, help="Of the container's run before the last restart.")
@option("--tail", type=click.IntRange(min=-1), help="Only the last so many lines; -1: all.")
@option("--since", "since_seconds", type=Duration(), help="Only what is younger, e.g. 15m or 1h30m.")
@option("--since-time", type=Time(), help="Only what was written after this time (RFC 3339).")
@option("--timestamps", is_flag=True, help="With the time of each line.")
@click.argument("target", metavar="POD|TYPE/NAME", default="")
def logs(
    data: Path,
    namespace: str,
    container: str,
    all_containers: bool,
    selector: str,
    prefix: bool,
    follow: bool,
    max_log_requests: int,
    ignore_errors: bool,
    target: str,
    **limits: Any,
) -> None:
    """Print what a container of a POD wrote, or one of the Pods of deploy/NAME, rs/NAME or svc/NAME."""
    _check(target, selector, container, all_containers, limits)
    if selector and limits["tail"] is None:
        limits["tail"] = SELECTED_LINES

    async def run(client: RemoteClient) -> None:
        pods = await _pods(client, namespace, target, selector)
        sources: list[Source] = []
        for pod in pods:
            found, note = sources_of(pod, container, everything=all_containers)
            sources += found
            if note:
                click.echo(note, err=True)
        if follow:
            check_streams(sources, max_log_requests)
        show = _Show(client, namespace, limits, follow=follow, prefix=prefix, ignore_errors=ignore_errors)
        if follow and len(sources) > 1:
            await asyncio.gather(*(show.log(source) for source in sources))
        else:
            for source in sources:
                await show.log(source)

    call(data, run)


def _check(target: str, selector: str, container: str, all_containers: bool, limits: dict[str, Any]) -> None:
    """Raises BadRequest for options that contradict each other."""
    if bool(target) is bool(selector):
        raise BadRequest("name a POD, TYPE/NAME, or Pods by --selector: one of them.")
    if container and all_containers:
        raise BadRequest("--all-containers=true should not be specified with container name")
    if limits["since_seconds"] is not None and limits["since_time"] is not None:
        raise BadRequest("at most one of `since-time` or `since` may be specified")


async def _pods(client: RemoteClient, namespace: str, target: str, selector: str) -> list[Object]:
    """The Pods that are meant; of a workload the one to show, and which that is goes to stderr, as with kubectl."""
    if selector:
        found = list((await client.list(PODS, namespace, labels=selector)).items)
        if not found:
            click.echo(f"No resources found in {namespace} namespace.", err=True)
        return found
    resource, name = target_of(target)
    if resource is PODS:
        return [await client.get(PODS, namespace, name)]
    return [await _pod_of(client, resource, namespace, name)]


async def _pod_of(client: RemoteClient, resource: Resource, namespace: str, name: str) -> Object:
    workload = await client.get(resource, namespace, name)
    found = (await client.list(PODS, namespace, labels=selector_text(resource, workload))).items
    best = best_pod(found)
    if best is None:
        raise NotFound(f"{resource.singular}/{name} has no Pods at the moment: `grandstand get pods` shows all.")
    if len(found) > 1:
        click.echo(f"Found {len(found)} pods, using pod/{best}", err=True)
    return next(pod for pod in found if pod["metadata"]["name"] == best)


class _Show:
    """Prints logs, whole lines at a time where several are printed at once."""

    def __init__(
        self,
        client: RemoteClient,
        namespace: str,
        limits: dict[str, Any],
        *,
        follow: bool,
        prefix: bool,
        ignore_errors: bool,
    ) -> None:
        self._client, self._namespace, self._limits = client, namespace, limits
        self._follow, self._prefix, self._ignore_errors = follow, prefix, ignore_errors

    async def log(self, source: Source) -> None:
        limits = dict(self._limits)
        tail = limits.pop("tail")
        chunks = self._client.pod_logs(
            self._namespace,
            source.pod,
            container=source.container,
            follow=self._follow,
            tail_lines=None if tail == -1 else tail,
            **limits,
        )
        try:
            async for line in _lines(chunks):
                sys.stdout.buffer.write((source.prefix if self._prefix else b"") + line)
                sys.stdout.buffer.flush()
        except GrandstandError as error:
            if not self._ignore_errors:
                raise
            click.echo(f"error: {source.pod}/{source.container}: {error.message}", err=True)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Whole lines, each with its end; only the last may lack one."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
