"""Run skopeo and buildah, and turn their failures into errors that say what to do."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .errors import ImageError

LAST_LINES = 6


async def run(
    program: str, arguments: Sequence[str], *, cwd: Path | None = None, largest_file_bytes: int | None = None
) -> str:
    """Run a program to its end and return what it printed. Raises ImageError with the end of its complaint."""
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise ImageError(f"{program} is not installed: `apt-get install {program}`, or run `make setup`.") from None
    if largest_file_bytes is not None:
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        complaint = "\n".join((err or out).decode(errors="replace").strip().splitlines()[-LAST_LINES:])
        raise ImageError(f"{program} failed (exit code {process.returncode}): {complaint}")
    return out.decode(errors="replace")


async def copy_to_directory(source: str, target: Path, *, plain_http: bool = False, most_bytes: int) -> None:
    """Copy an image from any place that skopeo knows into a `dir:` layout, its manifest untouched.

    `most_bytes`: no blob may have more, whatever a registry goes on sending.
    """
    arguments = ["copy", "--insecure-policy", "--quiet"]
    if plain_http:
        arguments.append("--src-tls-verify=false")
    await run("skopeo", [*arguments, source, f"dir:{target}"], largest_file_bytes=most_bytes)
