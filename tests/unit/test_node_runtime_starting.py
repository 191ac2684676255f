"""Letting a created container's program go: what its fifo and its first process say."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from grandstand.errors import RunContainerError
from grandstand.node.processes import ProcessKey, readable
from grandstand.node.runtime.conmon import Conmon
from grandstand.node.runtime.oci import OciRuntime
from grandstand.node.runtime.starting import release

GONE = ProcessKey(pid=os.getpid(), start_ticks=-1)
"""A process that has ended: its number is another's by now."""


async def test_a_descriptor_is_let_go_before_another_gets_its_number(tmp_path):
    """A watch of the fifo that outlived it took the next watch of the same number along: `wait` hung for good."""
    fifo = tmp_path / "web" / "exec.fifo"
    fifo.parent.mkdir()
    os.mkfifo(fifo)
    conmon = Conmon(Path("conmon"), OciRuntime(Path("runc"), "runc", "1.1.5"), tmp_path)
    try:
        with pytest.raises(RunContainerError, match="ended before it became the program"):
            await release(conmon, "web", GONE, asyncio.Semaphore(1))
    finally:
        read_end, write_end = os.pipe()
    os.write(write_end, b"x")
    try:
        async with asyncio.timeout(10):
            await readable(read_end)
    finally:
        os.close(read_end)
        os.close(write_end)
