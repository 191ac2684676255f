from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from node_world import World, app

from grandstand.errors import BadRequest, NotFound
from grandstand.node.log_paths import log_path
from grandstand.node.logs import NodeLogs
from grandstand.node.termination_message import limit_for, termination_message


@dataclass(frozen=True)
class Wish:
    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: float | None = None
    tail: int | None = None
    limit_bytes: int | None = None


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.agent.destroy()


async def text(world: World, wish: Wish, name: str = "web") -> str:
    logs = NodeLogs(world.agent.pod)
    return b"".join([piece async for piece in logs.read("default", name, wish)]).decode()


def write(world: World, run: int, line: str, container: str = "app") -> None:
    path = log_path(world.parts.directory(world.pod()["metadata"]["uid"]), container, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"2027-01-15T08:00:00.000000000+00:00 stdout F {line}\n")


async def test_the_newest_run_and_the_one_before(world: World) -> None:
    await world.create({"containers": [app()]})
    write(world, 1, "first")
    assert await text(world, Wish()) == "first\n"
    with pytest.raises(BadRequest, match='previous terminated container "app" in pod "web" not found'):
        await text(world, Wish(previous=True))
    world.runtime.end("app", 1)
    await world.settle()
    write(world, 2, "second")
    assert await text(world, Wish()) == "second\n"
    assert await text(world, Wish(previous=True)) == "first\n"
    world.runtime.end("app", 1)
    await world.settle()
    assert await text(world, Wish()) == "second\n", "while it waits to be started again, its last run is shown"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("", r"a container name must be specified for pod web, choose one of: \[a b\]"),
        ("c", "container c is not valid for pod web"),
    ],
)
async def test_which_container(world: World, asked: str, message: str) -> None:
    await world.create({"containers": [app("a"), app("b")]})
    with pytest.raises(BadRequest, match=message):
        await text(world, Wish(asked))


async def test_init_containers_are_named_too(world: World) -> None:
    await world.create({"initContainers": [app("i")], "containers": [app()]})
    with pytest.raises(BadRequest, match=r"choose one of: \[app\] or one of the init containers: \[i\]"):
        await text(world, Wish())
    with pytest.raises(BadRequest, match='container "app" in pod "web" is waiting to start: PodInitializing'):
        await text(world, Wish("app"))


async def test_a_container_without_an_image(world: World) -> None:
    await world.create({"containers": [app(image="none")]})
    with pytest.raises(BadRequest, match="is waiting to start: trying and failing to pull image"):
        await text(world, Wish())


async def test_a_pod_of_nobody(world: World) -> None:
    with pytest.raises(NotFound, match="not assigned"):
        await text(world, Wish(), "other")


async def test_following_ends_with_the_container(world: World) -> None:
    await world.create({"containers": [app()], "restartPolicy": "Never"})
    write(world, 1, "only")
    pieces = NodeLogs(world.agent.pod).read("default", "web", Wish(follow=True))
    assert await anext(pieces) == b"only\n"
    world.runtime.end("app", 0)
    assert [piece async for piece in pieces if piece] == []


@pytest.mark.parametrize(
    ("written", "policy", "failed", "message"),
    [
        ("said", "File", True, "said"),
        ("", "File", True, ""),
        ("", "FallbackToLogsOnError", True, "one\ntwo\n"),
        ("", "FallbackToLogsOnError", False, ""),
        ("said", "FallbackToLogsOnError", True, "said"),
    ],
    ids=["file", "nothing", "log", "log only on error", "file first"],
)
def test_termination_message(tmp_path: Path, written: str, policy: str, failed: bool, message: str) -> None:
    (tmp_path / "message").write_text(written)
    (tmp_path / "log").write_text("t stdout P on\nt stderr F e\nt stdout F two\n")
    assert termination_message(tmp_path / "message", tmp_path / "log", policy, failed=failed) == message


def test_a_termination_message_has_a_limit_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 5000)
    (tmp_path / "link").symlink_to("/etc/passwd")
    none = tmp_path / "none"
    assert len(termination_message(tmp_path / "long", none, "File", failed=True)) == 4096
    assert termination_message(tmp_path / "link", none, "File", failed=True) == ""
    assert limit_for(6) == 2048
