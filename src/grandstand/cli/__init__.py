"""The command line: parse, call, print. Each command lives in a module of its own, imported when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from grandstand import __version__
from grandstand.errors import GrandstandError

COMMANDS = {
    "up": "up:up",
    "down": "down:down",
    "status": "status:status",
    "apply": "objects:apply",
    "get": "objects:get",
    "delete": "objects:delete",
    "logs": "logs:logs",
    "rollout": "rollout:rollout",
    "image": "image:image",
    "function": "function:function",
    "bill": "bill:bill",
    "kubeconfig": "kubeconfig:kubeconfig",
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are needed, so that `grandstand get` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(f".{module}", __name__), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="grandstand")
def cli() -> None:
    """Keep web services and functions up while a crowd arrives, moves and leaves."""


def main() -> None:
    """The console command `grandstand`: errors become one line on stderr and exit code 1."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except GrandstandError as error:
        click.echo(f"error: {error.message}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
