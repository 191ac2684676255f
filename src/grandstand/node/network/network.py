"""Make, adopt and remove the sandboxes of Pods, and the network that joins them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Coroutine
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from grandstand.engine import Engine
from grandstand.errors import NetworkFailure, SandboxRefused
from grandstand.node.syscalls import set_hostname

from . import forwarding, links, namespaces
from .addresses import next_address
from .netlink import Netlink
from .records import Records
from .rounds import Rounds
from .rules import host_port_rules, machine_rules
from .sandboxes import HostPort, Record, Sandbox, SandboxSpec, check, link_name
from .table import HOST_PORTS, Table, delete_table

log = logging.getLogger(__name__)

T = TypeVar("T")

# As other container engines do: without any capability, programs may listen on port 80, and `ping` works.
_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
_NO_IPV6 = {"net.ipv6.conf.default.disable_ipv6": "1"}
# The kernel makes one link at a time anyway; more threads only wait for each other.
_AT_ONCE = 4


class Network:
    """The Pod network of one engine. `start` first; what it makes stays when the process ends, until `destroy`."""

    def __init__(self, engine: Engine, *, table: Table | None = None) -> None:
        self.engine = engine
        self.table = table or Table(engine.prefix)
        self._pins = pins_directory(engine)
        self._records = Records(records_directory(engine))
        self._known: dict[str, Record] = {}
        self._made: dict[str, Sandbox] = {}
        self._last_address = engine.bridge_address
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._leaving: set[str] = set()
        self._departures = Rounds(self._delete_links)
        self._mtu = links.DEFAULT_MTU
        self._started = False
        self._under_way: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Prepare the machine, and adopt what an earlier process of the same engine left; remove its broken pieces.

        Raises NetworkFailure when the machine refuses.
        """
        try:
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            raise NetworkFailure(f"the Pod network cannot be set up: {error}") from error
        await self.table.open(machine_rules(self.engine))
        await self._write_host_ports()
        self._started = True

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Make a Pod's sandbox; the one that exists already is given as it is.

        Raises SandboxRefused for what cannot be made, AddressesExhausted, and NetworkFailure when the machine refuses.
        A cancelled caller leaves a sandbox that `remove` takes away.
        """
        if not self._started:
            raise NetworkFailure(
                "the Pod network is not up: not started yet, or ended; try again when the engine is ready"
            )
        check(spec)
        return await asyncio.shield(self._begun(self._create(spec)))

    async def remove(self, pod_uid: str) -> None:
        """Remove a Pod's sandbox; nothing happens where there is none. Its address is free only after that."""
        await asyncio.shield(self._begun(self._remove(pod_uid)))

    def sandboxes(self) -> dict[str, Sandbox]:
        """All sandboxes that exist, by Pod uid."""
        return dict(self._made)

    async def close(self) -> None:
        """Finish what was begun, and let go of the kernel's sockets; sandboxes and rules stay."""
        self._started = False
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self.table.close()

    async def destroy(self) -> None:
        """Remove everything that this engine has made on the machine's network. Raises NetworkFailure."""
        await self.close()
        await asyncio.to_thread(destroy_network, self.engine)
        self._known.clear()
        self._made.clear()

    def _begun(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that goes on when its caller is cancelled, and that `close` waits for."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def _prepare(self) -> None:
        namespaces.prepare_pins(self._pins)
        forwarding.enable_forwarding()
        links.prepare_machine(self.engine)
        forwarding.admit(self.engine)
        self._mtu = links.outgoing_mtu()
        self._adopt(self._records.load(), set(links.pod_links(self.engine)))

    def _adopt(self, records: dict[str, Record], existing: set[str]) -> None:
        """Take over whole sandboxes; remove those of which a part is missing, and parts that belong to none."""
        whole = {uid: record for uid, record in records.items() if self._is_whole(record, existing)}
        strangers = existing - {link_name(self.engine, IPv4Address(r.address)) for r in whole.values() if r.address}
        if strangers:
            links.delete_links(self.engine, strangers)
        for directory in self._pins.iterdir():
            if directory.name not in whole:
                namespaces.unpin(directory)
        for uid in records.keys() - whole.keys():
            log.info("the sandbox of the Pod %s did not outlive the last process", uid)
            self._records.remove(uid)
        self._known = whole
        self._made = {uid: self._sandbox(record) for uid, record in whole.items()}
        self._last_address = max(self._taken(), default=self.engine.bridge_address)

    def _is_whole(self, record: Record, existing: set[str]) -> bool:
        if record.address and link_name(self.engine, IPv4Address(record.address)) not in existing:
            return False
        return namespaces.pinned(record.pinned, self._pins / record.pod_uid)

    async def _create(self, spec: SandboxSpec) -> Sandbox:
        async with self._alone(spec.pod_uid):
            if spec.pod_uid in self._made:
                return self._made[spec.pod_uid]
            record = self._reserve(spec)
            try:
                async with self._at_once:
                    await namespaces.in_own_thread(lambda: self._make(spec, record))
                if record.host_ports:
                    await self._write_host_ports()
            except OSError as error:
                await self._take_apart(record)
                raise NetworkFailure(f"the sandbox of the Pod {spec.pod_uid} cannot be made: {error}") from error
            except BaseException:
                await self._take_apart(record)
                raise
            self._made[spec.pod_uid] = self._sandbox(record)
            return self._made[spec.pod_uid]

    def _reserve(self, spec: SandboxSpec) -> Record:
        """Write down the sandbox, its address and its ports before anything is made."""
        ports = () if spec.host_network else spec.host_ports
        self._check_host_ports(ports)
        address = None
        if not spec.host_network:
            self._last_address = next_address(self.engine.pods, self._taken(), self._last_address)
            address = str(self._last_address)
        record = Record(
            pod_uid=spec.pod_uid, hostname=spec.hostname, address=address, host_ipc=spec.host_ipc, host_ports=ports
        )
        self._records.write(record)
        self._known[spec.pod_uid] = record
        return record

    def _check_host_ports(self, wanted: tuple[HostPort, ...]) -> None:
        for record in self._known.values():
            for taken in record.host_ports:
                for port in wanted:
                    if port.collides(taken):
                        raise SandboxRefused(
                            f"the host port {port.protocol} {port.host_port} is taken by the Pod {record.pod_uid}: "
                            "delete that Pod, or choose another port"
                        )

    def _make(self, spec: SandboxSpec, record: Record) -> None:
        """Runs in a thread of its own. The pins come last: who finds them finds a whole sandbox."""
        if not record.pinned:
            return
        with Netlink() as machine:
            namespaces.enter_new(record.pinned)
            if record.address:
                set_hostname(record.hostname)
                plan = links.plan(
                    self.engine, IPv4Address(record.address), mtu=self._mtu, localnet=bool(record.host_ports)
                )
                namespaces.set_sysctls(_SYSCTLS | (_NO_IPV6 if plan.ipv6 else {}))
                links.connect(plan, machine)
            namespaces.set_sysctls(spec.sysctls)
            namespaces.pin(record.pinned, self._pins / record.pod_uid)

    async def _remove(self, pod_uid: str) -> None:
        async with self._alone(pod_uid):
            record = self._known.get(pod_uid)
            if record is not None:
                self._made.pop(pod_uid, None)
                await self._take_apart(record)

    async def _take_apart(self, record: Record) -> None:
        """Remove all that there is of a sandbox, then free its address."""
        if record.host_ports:
            await self._write_host_ports(without=record.pod_uid)
        if record.address:
            self._leaving.add(link_name(self.engine, IPv4Address(record.address)))
            await self._departures.run()
        await asyncio.to_thread(namespaces.unpin, self._pins / record.pod_uid)
        self._records.remove(record.pod_uid)
        del self._known[record.pod_uid]

    async def _delete_links(self) -> None:
        leaving, self._leaving = self._leaving, set()
        try:
            await asyncio.to_thread(links.delete_links, self.engine, leaving)
        except OSError as error:
            self._leaving |= leaving
            raise NetworkFailure(f"links of Pods cannot be removed: {error}") from error

    async def _write_host_ports(self, without: str = "") -> None:
        ports = [
            (IPv4Address(record.address), port)
            for record in self._known.values()
            if record.address and record.pod_uid != without
            for port in record.host_ports
        ]
        await self.table.set(HOST_PORTS, host_port_rules(ports))

    def _alone(self, pod_uid: str) -> asyncio.Lock:
        """What keeps two calls about the same Pod apart; it goes with the last of them."""
        return self._busy.setdefault(pod_uid, asyncio.Lock())

    def _taken(self) -> set[IPv4Address]:
        return {IPv4Address(record.address) for record in self._known.values() if record.address}

    def _sandbox(self, record: Record) -> Sandbox:
        pins = {kind: self._pins / record.pod_uid / kind for kind in record.pinned}
        return Sandbox(
            pod_uid=record.pod_uid,
            network=pins.get("net"),
            ipc=pins.get("ipc"),
            uts=pins.get("uts"),
            address=record.address or str(self.engine.bridge_address),
            hostname=record.hostname,
        )


def pins_directory(engine: Engine) -> Path:
    return engine.data / "run" / "ns"


def records_directory(engine: Engine) -> Path:
    return engine.data / "run" / "sandboxes"


def destroy_network(engine: Engine) -> None:
    """Remove every link, route, rule, namespace and record of an engine, running or not. Raises NetworkFailure."""
    try:
        links.clear_machine(engine)
        delete_table(engine.prefix)
        forwarding.withdraw(engine)
        namespaces.remove_pins(pins_directory(engine))
        shutil.rmtree(records_directory(engine), ignore_errors=True)
    except OSError as error:
        raise NetworkFailure(f"the network of the engine {engine.prefix} cannot be removed: {error}") from error
