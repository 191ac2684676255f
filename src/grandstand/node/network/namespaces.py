"""Make namespaces that outlive the thread that made them, by binding them to files ("pins")."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from grandstand.errors import SandboxRefused
from grandstand.node import syscalls
from grandstand.node.mounts import bind, is_mount, make_private, unmount

T = TypeVar("T")

_FLAGS = {"net": syscalls.NEW_NET, "ipc": syscalls.NEW_IPC, "uts": syscalls.NEW_UTS}


async def in_own_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread that ends with it: one that has left the machine's namespaces must never be used again.

    A cancelled caller does not stop the work.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            loop.call_soon_threadsafe(_settle, done, None, error)
        else:
            loop.call_soon_threadsafe(_settle, done, result, None)

    threading.Thread(target=run, name="namespaces", daemon=True).start()
    return await done


def _settle(done: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    if done.cancelled():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)  # type: ignore[arg-type]


def enter_new(kinds: tuple[str, ...]) -> None:
    """Put the calling thread into new namespaces of these kinds ("net", "ipc", "uts")."""
    flags = 0
    for kind in kinds:
        flags |= _FLAGS[kind]
    syscalls.unshare(flags)


def pin(kinds: tuple[str, ...], directory: Path) -> None:
    """Bind the calling thread's namespaces to files in `directory`, which is made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kind in kinds:
        file = directory / kind
        file.touch(mode=0o600)
        bind(f"/proc/self/task/{threading.get_native_id()}/ns/{kind}", file)


def pinned(kinds: tuple[str, ...], directory: Path) -> bool:
    """Whether all these namespaces are bound to files in `directory` (a file without is on the directory's device)."""
    try:
        own = directory.stat().st_dev
        return all((directory / kind).stat().st_dev != own for kind in kinds)
    except FileNotFoundError:
        return False


def unpin(directory: Path) -> None:
    """Let go of the namespaces bound in `directory`, and remove it; nothing happens where there is none."""
    for kind in _FLAGS:
        unmount(directory / kind)
    if directory.exists():
        shutil.rmtree(directory)


def prepare_pins(directory: Path) -> None:
    """Make the directory of all pins a private mount: copies in other mount namespaces would keep namespaces alive."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_mount(directory):
        _unpin_all(directory)  # somebody has unmounted the directory: the new mount would hide pins made since
        bind(directory, directory)
    make_private(directory)


def remove_pins(directory: Path) -> None:
    """Let go of all namespaces pinned below, and remove the directory."""
    while is_mount(directory):
        unmount(directory)
    if directory.exists():
        _unpin_all(directory)
        directory.rmdir()


def _unpin_all(directory: Path) -> None:
    for pins in directory.iterdir():
        unpin(pins)


def set_sysctls(values: Mapping[str, str]) -> None:
    """Write sysctls of the calling thread's namespaces: /proc/sys shows every thread its own.

    Raises SandboxRefused for one that this kernel does not have, or not for a namespace, or not with this value.
    """
    for name, value in values.items():
        try:
            Path("/proc/sys", *name.split(".")).write_text(value)
        except FileNotFoundError as error:
            raise SandboxRefused(f"this kernel has no sysctl {name} in a sandbox: remove it from the Pod") from error
        except OSError as error:
            raise SandboxRefused(f"the sysctl {name} cannot be set to {value!r} in a sandbox: {error}") from error
