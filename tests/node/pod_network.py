"""What tests do inside sandboxes: serve, call, and look for what was left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from grandstand.engine import Engine, choose_network
from grandstand.node.network import Network, Sandbox, SandboxSpec, destroy_network, taken_networks
from grandstand.node.network.netlink import Netlink
from grandstand.node.network.nft import Nft

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def inside(namespace: Path | str | None, work: Callable[[], T]) -> T:
    """Run `work` in a thread inside a network, IPC or UTS namespace; None is the machine's own."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            if namespace is not None:
                with Path(namespace).open() as file:
                    assert _libc.setns(file.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return results[0]


class Answering:
    """A TCP or UDP server inside a sandbox that answers each caller with its own name and the caller's address."""

    def __init__(self, sandbox: Sandbox | None, port: int, name: str = "", kind: int = socket.SOCK_STREAM) -> None:
        self.name = name or (sandbox.hostname if sandbox else "machine")
        self.kind = kind
        self.socket = inside(sandbox.network if sandbox else None, lambda: socket.socket(socket.AF_INET, kind))
        self.socket.bind(("0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            self.socket.listen(64)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                if self.kind == socket.SOCK_DGRAM:
                    data, peer = self.socket.recvfrom(100)
                    if not data:
                        return
                    self.socket.sendto(f"{self.name} {peer[0]}".encode(), peer)
                else:
                    connection, peer = self.socket.accept()
                    with connection:
                        connection.sendall(f"{self.name} {peer[0]}".encode())

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def call(sandbox: Sandbox | None, address: str, port: int, *, source: str = "") -> tuple[str, str]:
    """What the server behind an address says: its name, and the address from which it was called."""

    def work() -> str:
        with socket.create_connection((address, port), 5, (source, 0) if source else None) as connection:
            return connection.makefile().read()

    name, _, peer = inside(sandbox.network if sandbox else None, work).partition(" ")
    return name, peer


def ask(sandbox: Sandbox | None, address: str, port: int) -> str:
    """As `call`, over UDP."""

    def work() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.connect((address, port))
            asking.send(b"?")
            return asking.recv(100).decode()

    return inside(sandbox.network if sandbox else None, work).partition(" ")[0]


Serve = Callable[..., Answering]


@contextlib.contextmanager
def answering() -> Iterator[Serve]:
    """Gives a function that starts servers; all end with the context."""
    servers: list[Answering] = []

    def start(*arguments: Any, **named: Any) -> Answering:
        servers.append(Answering(*arguments, **named))
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            server.close()


@contextlib.contextmanager
def fresh_engine(data: Path) -> Iterator[Engine]:
    """An engine with a network of its own, of which nothing is left at the end."""
    engine = Engine(data.resolve(), choose_network(data, taken_networks()), 6443, 8080, 8443)
    try:
        yield engine
    finally:
        destroy_network(engine)
    assert leftovers(engine) == []


def free_port() -> int:
    """A port that nobody on the machine listens on now."""
    with socket.create_server(("0.0.0.0", 0)) as probe:
        return int(probe.getsockname()[1])


def leftovers(engine: Engine) -> list[str]:
    with Netlink() as machine:
        found = [link.name for link in machine.links() if link.name.startswith(engine.prefix)]
    found += [
        str(network) for network in taken_networks() if network.overlaps(engine.network) and network.prefixlen > 8
    ]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(engine.data) in line]
    nft = Nft()
    try:
        found += [f"table {engine.prefix}"] if nft.table(engine.prefix) is not None else []
    finally:
        nft.close()
    return found


async def pod(network: Network, name: str, **more: Any) -> Sandbox:
    return await network.create(SandboxSpec(f"uid-{name}", name, **more))


class World:
    """A namespace that knows nothing of Pods, behind a link of the machine."""

    machine_address = "198.51.100.1"
    address = "198.51.100.2"

    def __init__(self, namespace: Path) -> None:
        self.namespace = namespace


@contextlib.contextmanager
def outside_world(engine: Engine) -> Iterator[World]:
    name = f"{engine.prefix}w"
    subprocess.run(("ip", "netns", "add", name), check=True)
    try:
        lines = (
            f"link add {name} type veth peer name eth0 netns {name}\n"
            f"addr add {World.machine_address}/24 dev {name}\nlink set {name} up\n"
        )
        subprocess.run(("ip", "-batch", "-"), input=lines, text=True, check=True)
        inner = f"addr add {World.address}/24 dev eth0\nlink set eth0 up\nlink set lo up\n"
        subprocess.run(("ip", "-n", name, "-batch", "-"), input=inner, text=True, check=True)
        yield World(Path("/run/netns") / name)
    finally:
        subprocess.run(("ip", "link", "del", name), check=False)
        subprocess.run(("ip", "netns", "del", name), check=True)
