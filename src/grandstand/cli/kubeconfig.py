"""`grandstand kubeconfig`: where kubectl, helm and SDKs find the engine."""

from __future__ import annotations

from pathlib import Path

import click

from grandstand.errors import NotFound

from .options import data_option, option


@click.command()
@data_option
@option("--path", is_flag=True, help="Print the path of the file instead of what it holds.")
def kubeconfig(data: Path, path: bool) -> None:
    """Print the kubeconfig of the engine (it holds the admin's credential)."""
    file = data / "kubeconfig"
    if not file.exists():
        raise NotFound(f"There is no engine in {data}: start one with `grandstand up --data {data}`.")
    click.echo(file.resolve() if path else file.read_text(), nl=path)
