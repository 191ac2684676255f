"""Write docs/reference/command-line.md from the commands themselves: `command_line_reference.py [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from grandstand.cli import cli

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"
HEAD = """\
# The command line

Generated from the commands by `tools/command_line_reference.py`; `grandstand COMMAND --help` says the same.

Every option can be set in the environment, too; what stands on the command line wins. Errors are one line on stderr,
with exit code 1; wrong usage ends with 2, an interrupt with 130.
"""


def commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with the words that call it; hidden ones are left out."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def options(command: click.Command) -> Iterator[click.Option]:
    """The options that a person may give."""
    yield from (p for p in command.params if isinstance(p, click.Option) and not p.hidden)


def section(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    lines = [f"## {' '.join(path)}", "", "```", usage, "```", "", _paragraphs(command.help or "")]
    rows = [_row(option, context) for option in options(command)]
    if rows:
        lines += ["", "| option | variable | what it does |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    names, said = record
    variable = f"`{option.envvar}`" if isinstance(option.envvar, str) else ""
    # The variable has a column of its own.
    said = said.replace(f"env var: {option.envvar}; ", "").replace(f"[env var: {option.envvar}]", "")
    return f"| `{_cell(names)}` | {variable} | {_cell(said)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def page() -> str:
    sections = [section(path, command) for path, command in commands(cli, ("grandstand",))]
    return "\n".join([HEAD, *sections])


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != page():
            raise SystemExit(f"error: {PAGE.name} is not what the commands say: run tools/command_line_reference.py")
        return
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
