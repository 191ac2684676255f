"""Which OCI runtime is chosen, what is known to be wrong with it, and what it means by its words."""

from __future__ import annotations

import pytest

from grandstand.errors import CreateContainerError, NoRuntime, RunContainerError
from grandstand.node.logrus import logged_error
from grandstand.node.runtime.conmon import refusal
from grandstand.node.runtime.exits import exit_of, read_exit
from grandstand.node.runtime.oci import detect, find_conmon, version_in, version_warnings


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ("1.1.5", True),
        ("1.1.12", True),
        ("1.2.7", True),
        ("1.2.8", False),
        ("1.2.10", False),
        ("1.3.0-rc.1", True),
        ("1.3.0", True),
        ("1.3.2", True),
        ("1.3.3", False),
        ("1.4.0-rc.2", True),
        ("1.4.0-rc.3", False),
        ("1.4.0", False),
        ("unknown", True),
    ],
)
def test_runc_versions_with_known_holes(version, warned):
    warnings = version_warnings("runc", version)
    assert bool(warnings) is warned
    assert all("CVE-2025-31133" in text for text in warnings)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1\nspec: 1.0.2-dev", "1.1.5"),
        ("runc version 1.4.0-rc.2\n", "1.4.0-rc.2"),
        ("crun version 1.8.1\ncommit: x", "1.8.1"),
        ("crun version 1.21", "1.21"),
        ("something else", "unknown"),
    ],
)
def test_version_in(text, version):
    assert version_in(text) == version


def program(folder, name, version, code):
    path = folder / name
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "{name} version {version}" && exit 0\n'
        f'echo "{name} refuses" >&2\nexit {code}\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("codes", "chosen"),
    [({"crun": 0, "runc": 0}, "crun"), ({"crun": 1, "runc": 0}, "runc"), ({"runc": 0}, "runc")],
    ids=["faster first", "what works", "what is there"],
)
def test_detect_prefers_what_works(tmp_path, codes, chosen):
    paths = {name: program(tmp_path, name, "1.2.9", code) for name, code in codes.items()}
    found = detect(paths.get)
    assert (found.name, found.version, found.warnings) == (chosen, "1.2.9", ())


def test_nothing_that_works_is_an_error_with_the_reason(tmp_path):
    paths = {"crun": program(tmp_path, "crun", "1.8", 1)}
    with pytest.raises(NoRuntime, match="crun says: crun refuses"):
        detect(paths.get)


def test_nothing_installed_names_the_packages():
    with pytest.raises(NoRuntime, match="apt-get install runc"):
        detect(lambda name: None)
    with pytest.raises(NoRuntime, match="apt-get install conmon"):
        find_conmon(lambda name: None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'time="T" level=warning msg="slow"\ntime="T" level=error msg="runc create failed: exec: \\"/x\\": no"\n',
            'runc create failed: exec: "/x": no',
        ),
        ("crun: cgroups in hybrid mode not supported\n", "crun: cgroups in hybrid mode not supported"),
        ('time="T" level=fatal msg=EOF\n', "EOF"),
        ('time="T" level=fatal msg="a\\nb\\tc"\n', "a\nb\tc"),
        ("", ""),
    ],
    ids=["logrus", "plain", "unquoted", "escaped", "nothing"],
)
def test_logged_error(text, message):
    assert logged_error(text) == message


@pytest.mark.parametrize(
    ("code", "kills", "signal", "oom_killed"),
    [
        (0, 0, None, False),
        (0, 1, None, False),
        (1, 0, None, False),
        (1, 1, None, True),
        (137, 0, 9, False),
        (137, 2, 9, True),
        (143, 0, 15, False),
        (128, 0, None, False),
        (192, 0, 64, False),
        (255, 0, None, False),
    ],
)
def test_exit_of(code, kills, signal, oom_killed):
    found = exit_of(code, kills, 5.0)
    assert (found.code, found.signal, found.oom_killed, found.finished_at) == (code, signal, oom_killed, 5.0)


def test_read_exit(tmp_path):
    exit_file, oom_file = tmp_path / "exit", tmp_path / "oom"
    assert read_exit(exit_file, oom_file, 0) is None
    exit_file.write_text("137")
    assert read_exit(exit_file, oom_file, 0).oom_killed is False
    oom_file.touch()
    found = read_exit(exit_file, oom_file, 0)
    assert (found.code, found.oom_killed, found.finished_at) == (137, True, exit_file.stat().st_mtime)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ('runc create failed: unable to start container process: exec: "/x": permission denied', RunContainerError),
        ('runc create failed: unable to start container process: chdir to cwd ("/x") failed', RunContainerError),
        ("executable file `/x` not found in $PATH: No such file or directory", RunContainerError),
        ("runc create failed: unable to start container process: error mounting /x", CreateContainerError),
        ("no space left on device", CreateContainerError),
    ],
    ids=["runc, program", "runc, directory", "crun, program", "runc, mount", "machine"],
)
def test_whose_fault_a_refusal_is(message, error):
    assert type(refusal(message)) is error
