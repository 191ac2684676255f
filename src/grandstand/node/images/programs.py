"""Run skopeo and buildah, and turn their failures into errors that say what to do."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from grandstand.node.logrus import logged_error

from .errors import ImageError

LAST_LINES = 6
READ_BYTES = 65_536

Show = Callable[[bytes], None]
"""Takes what a program says, in pieces as they come."""


async def run(
    program: str,
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    largest_file_bytes: int | None = None,
    show: Show | None = None,
) -> str:
    """Run a program to its end and return what it printed. Raises ImageError with the end of its complaint.

    `show` gets all that it says as it comes, errors included.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if show is None else asyncio.subprocess.STDOUT,
        )
    except FileNotFoundError:
        raise ImageError(f"{program} is not installed: `apt-get install {program}`, or run `make setup`.") from None
    if largest_file_bytes is not None:
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))
    try:
        out, err = await process.communicate() if show is None else (await _shown(process, show), b"")
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise ImageError(f"{program} failed (exit code {process.returncode}){_complaint(err or out, show)}")
    return out.decode(errors="replace")


def _complaint(said: bytes, show: Show | None) -> str:
    """The end of what a program said, unless it was shown already."""
    if show is not None:
        return ", see above."
    return ": " + "\n".join(logged_error(said.decode(errors="replace")).splitlines()[-LAST_LINES:])


async def _shown(process: asyncio.subprocess.Process, show: Show) -> bytes:
    """Show what a program says until it ends, and return the end of it."""
    assert process.stdout is not None
    kept = b""
    while piece := await process.stdout.read(READ_BYTES):
        show(piece)
        kept = (kept + piece)[-READ_BYTES:]
    await process.wait()
    return kept


async def copy_to_directory(source: str, target: Path, *, plain_http: bool = False, most_bytes: int) -> None:
    """Copy an image from any place that skopeo knows into a `dir:` layout, its manifest untouched.

    `most_bytes`: no blob may have more, whatever a registry goes on sending.
    """
    arguments = ["copy", "--insecure-policy", "--quiet"]
    if plain_http:
        arguments.append("--src-tls-verify=false")
    await run("skopeo", [*arguments, source, f"dir:{target}"], largest_file_bytes=most_bytes)
