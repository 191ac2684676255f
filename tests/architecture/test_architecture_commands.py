"""Every option of the command line has help and a variable, and the reference page says what the commands say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from grandstand.cli import cli

ROOT = Path(__file__).parents[2]


def _tool():
    spec = importlib.util.spec_from_file_location("command_line_reference", ROOT / "tools/command_line_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _tool()
COMMANDS = dict(reference.commands(cli, ("grandstand",)))
OPTIONS = [(path, option) for path, command in COMMANDS.items() for option in reference.options(command)]


def test_all_commands_are_found():
    expected = ("up", "down", "status", "apply", "get", "delete", "logs", "kubeconfig", "image")
    assert {path[1] for path in COMMANDS} >= set(expected)
    assert {path[2] for path in COMMANDS if path[1] == "image"} >= {"build", "load", "pull", "ls", "rm"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help(path):
    assert COMMANDS[path].help


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=[f"{' '.join(p)} {o.name}" for p, o in OPTIONS])
def test_every_option_has_help_and_a_variable(path, option):
    assert option.help
    assert isinstance(option.envvar, str)
    assert option.envvar.startswith("GRANDSTAND_")
    assert option.show_envvar


def test_one_variable_means_one_thing():
    """One that is set for `apply` must not upset `get`: all options of a variable are read alike."""
    readings = {(option.envvar, option.name, type(option.type).__name__, option.is_flag) for _, option in OPTIONS}
    variables = [reading[0] for reading in readings]
    assert sorted(variables) == sorted(set(variables))


@pytest.mark.parametrize("path", [path for path in COMMANDS if path[-1] in ("get", "ls", "status")], ids=" ".join)
def test_every_read_has_json(path):
    (output,) = (option for option in reference.options(COMMANDS[path]) if option.name == "output")
    assert "json" in output.type.choices


def test_the_reference_page_is_current():
    assert reference.PAGE.read_text() == reference.page(), "run .venv/bin/python tools/command_line_reference.py"
