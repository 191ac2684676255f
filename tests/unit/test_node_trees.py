"""Trees as only a hostile container makes them: deeper than any stack, wider than the names that are made for them."""

import os
from pathlib import Path

import pytest

from grandstand.node.trees import remove_tree, used_bytes

DEEP = 3000
FILE_BYTES = 10_000


def nest(top: Path, depth: int) -> None:
    """Nest directories without ever naming one by its path, which would be too long."""
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, b"x" * FILE_BYTES)
    os.close(file)
    os.close(folder)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    top.mkdir()
    nest(top, DEEP)
    return top


def test_a_tree_deeper_than_the_stack_goes(tree: Path) -> None:
    remove_tree(tree)
    assert not tree.exists()


def test_a_tree_deeper_than_the_stack_is_measured(tree: Path) -> None:
    assert used_bytes(tree) >= FILE_BYTES
    remove_tree(tree)


def test_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_bytes(b"x" * 1_000_000)
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "link").symlink_to(kept)
    (tree / "inner" / "link").symlink_to("../../kept")
    assert used_bytes(tree) < 1_000_000
    remove_tree(tree)
    assert not tree.exists()
    assert (kept / "file").exists()


def test_names_like_our_own_are_no_obstacle(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for path in (".removed-0/.removed-0/.removed-1", ".removed-1/.removed-0", "a/.removed-2/b"):
        (tree / path).mkdir(parents=True)
    (tree / ".removed-3").write_text("a file")
    (tree / "fifo").parent.mkdir(exist_ok=True)
    os.mkfifo(tree / "fifo")
    remove_tree(tree)
    assert not tree.exists()


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")
