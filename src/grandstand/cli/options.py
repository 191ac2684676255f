"""Options that several commands share; every option has help and an environment variable `GRANDSTAND_…`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_DATA = Path("/var/lib/grandstand")


def option(*names: str, help: str, **settings: Any) -> Callable[[F], F]:  # noqa: A002
    """A click option whose environment variable follows from its long name."""
    variable = environment_variable(next(name for name in names if name.startswith("--")))
    return click.option(*names, help=help, envvar=variable, show_envvar=True, **settings)


def environment_variable(option_name: str) -> str:
    """`GRANDSTAND_API_PORT` for `--api-port`."""
    return "GRANDSTAND_" + option_name.removeprefix("--").split("/")[0].replace("-", "_").upper()


data_option = option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, readable=False),  # who may not read it is told about root
    default=DEFAULT_DATA,
    show_default=True,
    help="The engine's data directory; engines with different directories live side by side.",
)

namespace_option = option("--namespace", "-n", default="default", show_default=True, help="The namespace to work in.")


def output_option(*formats: str) -> Callable[[F], F]:
    """`-o`: how to print what was read; without it, a table for people."""
    return option("--output", "-o", type=click.Choice(formats), help=f"Print as {' or '.join(formats)}.")
