"""`grandstand function deploy --watch`: deploy a folder again whenever something in it is saved."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from grandstand.clock import SystemClock
from grandstand.errors import GrandstandError
from grandstand.functions.calling import LambdaCaller
from grandstand.functions.folder_watch import FolderWatch
from grandstand.functions.packaging import LEFT_OUT, packed
from grandstand.functions.saves import changes_between, contents_of, seconds_to_wait
from grandstand.functions.syntax import check_syntax

from .function_deploy import Asked, Deployed, deploy_artefact, what_runs
from .function_packages import installed


def deploy_on_save(api: LambdaCaller, asked: Asked, *, as_json: bool) -> None:
    """Until SIGINT or SIGTERM; a deploy that is under way is finished. Raises BadRequest when the folder goes away."""
    shown = _as_json if as_json else _as_text
    with FolderWatch(asked.folder, LEFT_OUT) as saves, _told_to_end() as ending:
        rounds = _Rounds(api, asked)
        while True:
            # What is saved from here on is seen by the next look at `saves`: old code never has the last word.
            if (said := rounds.deploy()) is not None:
                click.echo(shown(said))
            if not _saved(saves, ending):
                return


class _Rounds:
    """Remembers what is deployed: a save that changes nothing is no reason to deploy."""

    def __init__(self, api: LambdaCaller, asked: Asked) -> None:
        self._api = api
        self._asked = asked
        self._artefact = b""
        self._what: tuple[str, str] | None = None
        self._failed = False

    def deploy(self) -> dict[str, Any] | None:
        """What to tell of it; None where nothing has changed."""
        clock = SystemClock()
        began = clock.monotonic()
        said: dict[str, Any] = {"name": self._asked.name}
        try:
            what = what_runs(self._asked.folder, self._asked.handler, self._asked.runtime)
            artefact = packed(installed(self._asked.folder))
            if (artefact, what) == (self._artefact, self._what):
                return self._as_before(said)
            changed = self._changes(said, artefact)
            check_syntax(self._asked.folder, *what, changed)
            deployed = deploy_artefact(self._api, self._asked, *what, artefact)
        except (GrandstandError, OSError) as error:  # OSError: a file went away while it was read
            self._failed = True
            return {**said, "error": str(error)}
        self._artefact, self._what, self._failed = artefact, what, False
        return {**said, **asdict(deployed), "seconds": round(clock.monotonic() - began, 3)}

    def _as_before(self, said: dict[str, Any]) -> dict[str, Any] | None:
        failed, self._failed = self._failed, False
        return {**said, "unchanged": "the files are again what is deployed"} if failed else None

    def _changes(self, said: dict[str, Any], artefact: bytes) -> list[str]:
        if self._what is None:
            return []
        changes = changes_between(contents_of(self._artefact), contents_of(artefact))
        said["changes"] = {**asdict(changes), "shown": changes.shown()}
        return [*changes.changed, *changes.added]


def _saved(saves: FolderWatch, ending: int) -> bool:
    """Wait for a save, and until no more come; False when it is time to end."""
    clock = SystemClock()
    poll = select.poll()
    for source in (saves, ending):
        poll.register(source, select.POLLIN)
    first: float | None = None
    last = 0.0
    while True:
        timeout = None if first is None else seconds_to_wait(first, last, clock.monotonic()) * 1000
        happened = dict(poll.poll(timeout))
        if ending in happened:
            return False
        if not happened:
            return True
        if saves.saved():
            last = clock.monotonic()
            first = last if first is None else first


@contextmanager
def _told_to_end() -> Iterator[int]:
    """A descriptor that is readable after SIGINT or SIGTERM. The second one of a kind ends the process as ever."""
    told, tell = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, _frame: object) -> None:
        os.write(tell, b"\0")
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, end)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        os.close(tell)


def _as_json(said: dict[str, Any]) -> str:
    changes = {key: value for key, value in said.get("changes", {}).items() if key != "shown"}
    return json.dumps({**said, **({"changes": changes} if changes else {})})


def _as_text(said: dict[str, Any]) -> str:
    what = f"{said['changes']['shown']}: " if "changes" in said else ""
    if "error" in said:
        return f"{what}not deployed: {said['error']}"
    if "unchanged" in said:
        return str(said["unchanged"])
    if not what:
        deployed = Deployed(said["name"], said["runtime"], said["handler"], said["url"])
        return f"{deployed.shown()}; waiting for changes, Ctrl-C ends it"
    return f"{what}deployed in {said['seconds']:.2f} s"
