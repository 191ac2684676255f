"""`grandstand image`: build, load, pull, list and remove the images that Pods run."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grandstand import engine as engines
from grandstand.clock import SystemClock
from grandstand.errors import NotFound

from .machine import check_root
from .options import data_option, option, output_option

if TYPE_CHECKING:
    from grandstand.node.images import Image, Images


@click.group()
def image() -> None:
    """Build, load, pull, list and remove images. Works with and without a running engine."""


def open_images(data: Path) -> Images:
    """The image store of a data directory, made when it is not there."""
    from grandstand.node.images import Images

    check_root("image")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Images(data, clock=SystemClock())


def existing_images(data: Path) -> Images:
    """The image store of a data directory that is one already. Raises NotFound: what only reads makes nothing."""
    check_root("image")
    if not (data / "images").is_dir() and engines.load(data) is None:
        raise NotFound(
            f"There is no engine in {data}, and no images: start one with `grandstand up --data {data}`,"
            " build or load an image, or name another directory with `--data`."
        )
    return open_images(data)


@image.command()
@data_option
@option("--tag", "-t", required=True, help="The image's name, e.g. payment-app:v1.")
@option("--file", "-f", type=click.Path(path_type=Path, exists=True), help="The Containerfile, where not in CONTEXT.")
@option("--build-arg", "-a", "arguments", multiple=True, help="NAME=VALUE for an ARG of the Containerfile.")
@option("--if-changed", is_flag=True, help="Keep the image where nothing has changed that it is built from.")
@click.argument("context", type=click.Path(path_type=Path, exists=True, file_okay=False))
def build(data: Path, tag: str, file: Path | None, arguments: tuple[str, ...], if_changed: bool, context: Path) -> None:
    """Build an image from the Containerfile (or Dockerfile) in CONTEXT."""
    pairs = dict(_pair(argument) for argument in arguments)
    images = open_images(data)
    before = images.find(tag)
    built = asyncio.run(
        images.build(context, tag, containerfile=file, build_args=pairs, show=_show, if_changed=if_changed)
    )
    if if_changed and before is not None and before.id == built.id:
        click.echo(f"{tag} is up to date: nothing has changed that it is built from", err=True)
    _say(tag, built)


def _show(output: bytes) -> None:
    """What buildah says goes to stderr as it comes, so that stdout holds the result alone."""
    sys.stderr.buffer.write(output)
    sys.stderr.buffer.flush()


def _pair(argument: str) -> tuple[str, str]:
    name, equals, value = argument.partition("=")
    if not equals:
        raise click.BadParameter(f"{argument!r}: write NAME=VALUE", param_hint="--build-arg")
    return name, value


@image.command()
@data_option
@option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/var/cache/grandstand"),
    show_default=True,
    help="Where the base image is kept between builds.",
)
def base(data: Path, cache: Path) -> None:
    """Make localhost/debian-python:12, the base of the examples, from Debian's packages (once; then cached)."""
    from grandstand.node.images.debian import base_image

    made = asyncio.run(base_image(open_images(data), cache))
    _say("localhost/debian-python:12", made)


@image.command()
@data_option
@option("--tag", "-t", help="The name to give it; by default the one that the archive says.")
@click.argument("archive", type=click.Path(path_type=Path, exists=True))
def load(data: Path, tag: str | None, archive: Path) -> None:
    """Load images from an OCI layout directory, an OCI archive or a `docker save` ARCHIVE."""
    for loaded in asyncio.run(open_images(data).load(archive, tag)):
        _say(tag or ", ".join(loaded.references), loaded)


@image.command()
@data_option
@option(
    "--plain-http", is_flag=True, help="Talk HTTP without TLS to the registry; one on loopback is always talked to so."
)
@click.argument("reference")
def pull(data: Path, plain_http: bool, reference: str) -> None:
    """Pull an image from a registry."""
    _say(reference, asyncio.run(open_images(data).pull(reference, plain_http=plain_http or None)))


@image.command()
@data_option
@output_option("json")
def ls(data: Path, output: str | None) -> None:
    """List images."""
    images = existing_images(data).list()
    if output == "json":
        rows = [
            {
                "id": i.id,
                "digest": i.digest,
                "references": list(i.references),
                "sizeBytes": i.size_bytes,
                "created": i.created,
            }
            for i in images
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'IMAGE':<48} {'ID':<14} SIZE")
    for found in images:
        for reference in found.references or ("<none>",):
            click.echo(f"{reference:<48} {found.id.removeprefix('sha256:')[:12]:<14} {found.size_bytes / 1e6:.1f} MB")


@image.command()
@data_option
@click.argument("references", nargs=-1, required=True)
def rm(data: Path, references: tuple[str, ...]) -> None:
    """Remove images, by name or id; those that containers use stay, with an error."""
    images = existing_images(data)

    async def run() -> None:
        for reference in references:
            await images.remove(reference)
            click.echo(f"{reference} removed")

    asyncio.run(run())


def _say(name: str, made: Image) -> None:
    click.echo(f"{name}  {made.id.removeprefix('sha256:')[:12]}  {made.size_bytes / 1e6:.1f} MB")
