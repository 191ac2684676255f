"""The gateway beside a hand-written static HAProxy configuration over the same three replicas, in interleaved rounds.

Run: `python benchmarks/gateway.py` (needs `wrk` and `haproxy`). Every figure is of this machine, at this moment. The
replicas are an HAProxy that answers by itself: cheaper than any application, so that the proxies are what is measured.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from grandstand.client.fake import FakeClient
from grandstand.clock import SystemClock
from grandstand.engine import Engine
from grandstand.gateway import Gateway, destroy_gateway
from grandstand.gateway.haproxy import Home
from grandstand.kinds.resources import ENDPOINT_SLICES, SERVICES

ROUNDS = int(os.environ.get("ROUNDS", "15"))
SECONDS = 1
"""Many short rounds: what disturbs the machine for seconds then spoils a few of them, and the median passes it over."""
CONNECTIONS = 32
HOST = "web.default.localhost"
REPLICAS = ("127.78.0.1", "127.78.0.2", "127.78.0.3")

DEFAULTS = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
"""


class Run(NamedTuple):
    """One run of wrk."""

    per_second: float
    p99_milliseconds: float
    failed: int
    cpu_microseconds: float
    """Of the proxy alone, user and system, for each request: least disturbed by what else the machine does."""


class Row(NamedTuple):
    what: str
    value: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def replicas_text(port: int) -> str:
    binds = "".join(f"  bind {address}:{port}\n" for address in REPLICAS)
    answer = '  http-request return status 200 content-type text/plain string "hello from a replica"\n'
    return f"global\n  nbthread 1\n{DEFAULTS}frontend replicas\n{binds}{answer}"


def static_text(port: int, replica_port: int, threads: int) -> str:
    """What a person would write for one host and three servers."""
    servers = "".join(f"  server {n} {address}:{replica_port} check\n" for n, address in enumerate(REPLICAS))
    return (
        f"global\n  nbthread {threads}\n  maxconn 8000\n{DEFAULTS}  option forwardfor\n"
        f"frontend static\n  bind 127.0.0.1:{port}\n  use_backend web if {{ hdr(host) -i {HOST} }}\n"
        f"backend web\n  balance roundrobin\n{servers}"
    )


@asynccontextmanager
async def haproxy(directory: Path, text: str) -> AsyncIterator[int]:
    """An HAProxy of one process; gives its number."""
    directory.mkdir()
    (directory / "haproxy.cfg").write_text(text)
    process = await asyncio.create_subprocess_exec("haproxy", "-db", "-q", "-f", str(directory / "haproxy.cfg"))
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def our_gateway(data: Path, replica_port: int, threads: int) -> AsyncIterator[tuple[int, int]]:
    """Gives its port, and the number of the process that passes the requests on."""
    data.mkdir(mode=0o700)
    engine = Engine(data, IPv4Network("10.98.0.0/16"), 0, free_port(), free_port())
    client = FakeClient()
    meta = {"name": "web", "namespace": "default"}
    await client.create(SERVICES, {"metadata": meta, "spec": {"ports": [{"name": "http", "port": 80}]}})
    slices = {
        "metadata": {**meta, "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": [address]} for address in REPLICAS],
        "ports": [{"name": "http", "port": replica_port}],
    }
    await client.create(ENDPOINT_SLICES, slices)
    gateway = Gateway(engine, client, clock=SystemClock(), threads=threads)
    try:
        await gateway.start()
        master = Home.of(engine).process()
        [worker] = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        yield engine.gateway_port, int(worker)
    finally:
        await gateway.stop()
        await destroy_gateway(engine)


def cpu_nanoseconds(process: int) -> int:
    """What all threads of a process have spent, user and system."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{process}/task").glob("*/schedstat"))


async def wrk(port: int, proxy: int) -> Run:
    """Load for one round; `proxy` is the process whose CPU time is counted."""
    before = cpu_nanoseconds(proxy)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-H", f"Host: {HOST}"]
    process = await asyncio.create_subprocess_exec(
        *command, f"http://127.0.0.1:{port}/some/path", stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    answered = re.search(r"(\d+) requests in", said)
    if rate is None or p99 is None or answered is None:
        raise SystemExit(f"wrk said:\n{said}")
    failed = sum(int(n) for line in said.splitlines() if "errors" in line or "Non-2xx" in line for n in _numbers(line))
    milliseconds = float(p99[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[p99[2]]
    cpu = (cpu_nanoseconds(proxy) - before) / 1000 / max(1, int(answered[1]))
    return Run(float(rate[1]), milliseconds, failed, cpu)


def _numbers(line: str) -> list[str]:
    return re.findall(r"\b\d+\b", line.replace("2xx", "").replace("3xx", ""))


async def compare(directory: Path, threads: int) -> list[Row]:
    """Interleaved rounds, ours and static in turn; the ratios are medians over the rounds."""
    replica_port, static_port = free_port(), free_port()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(haproxy(directory / f"replicas-{threads}", replicas_text(replica_port)))
        text = static_text(static_port, replica_port, threads)
        peer = await stack.enter_async_context(haproxy(directory / f"static-{threads}", text))
        port, worker = await stack.enter_async_context(
            our_gateway(directory / f"ours-{threads}", replica_port, threads)
        )
        ours, static = [], []
        for number in range(ROUNDS):
            for runs, at, proxy in ((ours, port, worker), (static, static_port, peer))[:: 1 if number % 2 else -1]:
                runs.append(await wrk(at, proxy))
    return [
        _row(f"gateway, {threads} threads", ours),
        _row(f"static HAProxy, {threads} threads", static),
        Row(
            f"gateway / static, {threads} threads",
            f"throughput {_ratio(ours, static, 0):.2f}, p99 {_ratio(ours, static, 1):.2f}"
            f" (goals: at least 0.90, at most 1.10), CPU {_ratio(ours, static, 3):.2f}",
        ),
    ]


def _row(what: str, runs: list[Run]) -> Row:
    rate, p99 = statistics.median(r.per_second for r in runs), statistics.median(r.p99_milliseconds for r in runs)
    cpu, failed = statistics.median(r.cpu_microseconds for r in runs), sum(r.failed for r in runs)
    return Row(what, f"{rate:,.0f} requests/s, p99 {p99:.2f} ms, {failed} failed, CPU {cpu:.1f} µs a request")


def _ratio(ours: list[Run], static: list[Run], field: int) -> float:
    return statistics.median(mine[field] / theirs[field] for mine, theirs in zip(ours, static, strict=True))


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="grandstand-benchmark-") as directory:
        return [row for threads in (1, 2) for row in await compare(Path(directory), threads)]


def main() -> None:
    for row in asyncio.run(rows()):
        print(f"{row.what:32} {row.value}")


if __name__ == "__main__":
    main()
