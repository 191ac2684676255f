"""`grandstand function deploy --watch`: a save is what answers next, and what fails does not end it."""

import json
import os
import select
import signal
import subprocess
import zlib

import pytest
from conftest import GRANDSTAND

SECONDS = 30


class Watch:
    """A watch that runs; what it prints is waited for."""

    def __init__(self, engine, folder, *options):
        command = [GRANDSTAND, "function", "deploy", folder, "--watch", "-o", "json", "--data", engine.data, *options]
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self._read = b""

    def said(self):
        while b"\n" not in self._read:
            assert select.select([self.process.stdout], [], [], SECONDS)[0], "it says nothing"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"it has ended: {self.process.stderr.read()}"
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    def end(self, number):
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, errors


def grandstand(engine, verb, *arguments):
    given = ["function", verb, *arguments, "--data", engine.data]
    return subprocess.run([GRANDSTAND, *map(str, given)], capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def folder(engine, tmp_path, request):
    folder = tmp_path / f"watched-{zlib.crc32(request.node.nodeid.encode()):08x}"
    folder.mkdir()
    (folder / "app.py").write_text(answering(1))
    yield folder
    grandstand(engine, "delete", folder.name)


@pytest.fixture
def watch(engine, folder):
    watch = Watch(engine, folder)
    yield watch
    if watch.process.poll() is None:
        watch.end(signal.SIGKILL)


def answering(number):
    return f"def handler(event, context):\n    return {number}\n"


def test_a_save_answers_next_whatever_went_wrong_before(engine, folder, watch):
    first = watch.said()
    assert (first["handler"], "error" in first) == ("app.handler", False)
    assert grandstand(engine, "invoke", folder.name) == "1\n"

    (folder / "app.py").write_text(answering(2))
    second = watch.said()
    assert second["changes"] == {"changed": ["app.py"], "added": [], "removed": []}
    assert second["seconds"] < 1, "only code has changed"
    assert grandstand(engine, "invoke", folder.name) == "2\n"

    (folder / "app.py").write_text("def handler(:\n")
    assert watch.said()["error"] == "app.py:1: invalid syntax"
    assert grandstand(engine, "invoke", folder.name) == "2\n"

    (folder / "app.py").write_text(answering(3))
    assert "error" not in watch.said()
    assert grandstand(engine, "invoke", folder.name) == "3\n"


def test_many_saves_while_it_deploys_end_with_the_last(engine, folder, watch):
    watch.said()
    for number in range(2, 200):
        (folder / "app.py").write_text(answering(number))
        if number % 50 == 0:  # a deploy is under way or over: either way there is more to come
            watch.said()
    while grandstand(engine, "invoke", folder.name) != "199\n":
        watch.said()  # it may tell of a file that was half written


def test_what_is_too_large_is_told_and_watching_goes_on(engine, folder, watch):
    watch.said()
    large = folder.with_name("large.bin")
    large.write_bytes(os.urandom(60 * 1024 * 1024))
    large.rename(folder / "large.bin")
    said = watch.said()
    assert said["changes"]["added"] == ["large.bin"]
    assert said["error"].startswith("Request must be smaller than")
    (folder / "large.bin").unlink()
    assert watch.said()["unchanged"]
    (folder / "app.py").write_text(answering(2))
    assert "error" not in watch.said()
    assert grandstand(engine, "invoke", folder.name) == "2\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_it_ends_when_it_is_told(folder, watch, number):
    assert "error" not in watch.said()
    assert watch.end(number) == (0, b"", b"")
