"""Functions: waking from zero, warm and frozen, beside the handler alone; a burst; a deploy; 300 at rest.

Run as root: `python benchmarks/functions.py`.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import time
import zipfile
from collections import Counter
from statistics import median, quantiles

import aiohttp
import boto3
import uvloop
from botocore.config import Config
from burner import service, until_pods
from engines import Place, engine, small_server
from table import Table, milliseconds

from grandstand.clock import SystemClock
from grandstand.engine import load
from grandstand.functions.access_keys import load_or_make
from grandstand.functions.lambda_api.serving import key_path
from grandstand.functions.machine_runtimes import machine_runtimes
from grandstand.kinds.resources import DEPLOYMENTS, SERVICES

ROUNDS = int(os.environ.get("ROUNDS", "20"))
WARM_ROUNDS = 300
BURST = 1000
IDLE_FUNCTIONS = 300
REFILL_SECONDS = 0.5
"""Until the spares are there again: a start of a process or two."""
FROZEN_SECONDS = 3.0
PYTHON = "def handler(event, context):\n    return {'statusCode': 200, 'body': '%s'}\n"
NODE = "exports.handler = async (event) => ({ statusCode: 200, body: '%s' });\n"
ALONE = {
    "python": [sys.executable, "-S", "-E", "-c", PYTHON % "x" + "handler({}, None)"],
    "nodejs": ["node", "-e", NODE % "x" + "exports.handler({})"],
}


def zipped(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, text)
    return content.getvalue()


class Functions:
    """Deploys and calls, as a user of AWS and of a browser would."""

    def __init__(self, place: Place, session: aiohttp.ClientSession) -> None:
        found = load(place.data)
        assert found is not None
        key = load_or_make(key_path(place.data), SystemClock())
        self._session, self._url = session, f"http://127.0.0.1:{place.gateway_port}/"
        self._aws = boto3.client(
            "lambda",
            endpoint_url=f"http://127.0.0.1:{found.lambda_port}",
            region_name="us-east-1",
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret,
            config=Config(retries={"max_attempts": 0}),
        )

    def create(self, name: str, runtime: str, *, url: bool = True, **settings: object) -> None:
        code, handler = self.code(runtime, "1"), "app.handler" if runtime.startswith("python") else "index.handler"
        role = "arn:aws:iam::000000000000:role/any"
        self._aws.create_function(
            FunctionName=name, Runtime=runtime, Handler=handler, Role=role, Code={"ZipFile": code}, **settings
        )
        if url:
            self._aws.create_function_url_config(FunctionName=name, AuthType="NONE")

    def code(self, runtime: str, says: str) -> bytes:
        return zipped("app.py", PYTHON % says) if runtime.startswith("python") else zipped("index.js", NODE % says)

    def update(self, name: str, runtime: str, says: str) -> None:
        self._aws.update_function_code(FunctionName=name, ZipFile=self.code(runtime, says))

    async def ask(self, host: str) -> tuple[int, bytes, float]:
        begun = time.monotonic()
        async with self._session.get(self._url, headers={"Host": host}) as answer:
            body = await answer.read()
            return answer.status, body, time.monotonic() - begun

    async def until(self, host: str, says: bytes) -> None:
        while (await self.ask(host))[1] != says:
            pass


def host(name: str) -> str:
    return f"{name}.lambda-url.localhost"


async def cold(functions: Functions, language: str, runtime: str) -> list[tuple[str, str]]:
    """Each round is a new version, so that nothing of it runs; the update itself is not measured."""
    took, alone, name = [], [], f"cold-{language}"
    functions.create(name, runtime)
    await functions.until(host(name), b"1")
    for number in range(ROUNDS):
        functions.update(name, runtime, f"cold {number}")
        await asyncio.sleep(REFILL_SECONDS)
        status, body, seconds = await functions.ask(host(name))
        if (status, body) != (200, f"cold {number}".encode()):
            raise SystemExit(f"a cold start was answered {status} {body!r}")
        took.append(seconds)
        begun = time.monotonic()
        await asyncio.to_thread(subprocess.run, ALONE[language], check=True)
        alone.append(time.monotonic() - begun)
    await asyncio.sleep(FROZEN_SECONDS)
    frozen = (await functions.ask(host(name)))[2]
    wanted = {"python": "under 15 ms, p99 under 40 ms", "nodejs": "p50 under 30 ms"}[language]
    return [
        (f"{runtime}: the handler alone, as a process", milliseconds(median(alone))),
        (f"{runtime}: cold start, p50 and longest (wanted: {wanted})", f"{_both(took)}"),
        (f"{runtime}: frozen", milliseconds(frozen)),
    ]


def _both(took: list[float]) -> str:
    return f"{milliseconds(median(took))}, {milliseconds(max(took))}"


async def warm(functions: Functions, pod: str) -> list[tuple[str, str]]:
    """In turn with a Pod that answers from a bare socket, through the same gateway."""
    function, bare = [], []
    for _ in range(WARM_ROUNDS):
        function.append((await functions.ask(host("cold-python")))[2])
        bare.append((await functions.ask(pod))[2])
    beyond = median(function) - median(bare)
    return [
        ("warm: a bare Pod behind the gateway, p50", milliseconds(median(bare))),
        ("warm: the function, p50", milliseconds(median(function))),
        ("  beyond it (wanted: under 0.5 ms)", milliseconds(beyond)),
    ]


async def burst(functions: Functions, runtime: str) -> list[tuple[str, str]]:
    functions.create("burst", runtime, Timeout=60)
    await asyncio.sleep(1.0)
    begun = time.monotonic()
    answers = await asyncio.gather(*(functions.ask(host("burst")) for _ in range(BURST)))
    took = time.monotonic() - begun
    said = ", ".join(f"{count} answered {status}" for status, count in Counter(each[0] for each in answers).items())
    p99 = quantiles([each[2] for each in answers], n=100)[98]
    return [(f"{BURST} at once from zero (wanted: all 200)", f"{said}; all after {took:.2f} s, p99 {p99:.2f} s")]


async def deploys(functions: Functions, runtime: str) -> list[tuple[str, str]]:
    took = []
    for number in range(ROUNDS):
        begun = time.monotonic()
        await asyncio.to_thread(functions.update, "cold-python", runtime, f"deploy {number}")
        await functions.until(host("cold-python"), f"deploy {number}".encode())
        took.append(time.monotonic() - begun)
    return [("new code to its first answer, p50 and longest (wanted: under 300 ms)", _both(took))]


async def idle(functions: Functions, place: Place, runtime: str) -> list[tuple[str, str]]:
    before = place.usage().memory_bytes
    for number in range(IDLE_FUNCTIONS):
        await asyncio.to_thread(functions.create, f"idle-{number}", runtime, url=False)
    await asyncio.sleep(2.0)
    grown = (place.usage().memory_bytes - before) / 1e6
    return [(f"engine's memory for {IDLE_FUNCTIONS} functions at rest (wanted: under 30 MB)", f"{grown:.1f} MB")]


async def measure(place: Place) -> list[tuple[str, str]]:
    runtimes = {name.rstrip("0123456789.x"): name for name in (each.name for each in machine_runtimes())}
    timeout, connector = aiohttp.ClientTimeout(total=120), aiohttp.TCPConnector(limit=0, force_close=True)
    async with place.client() as client, aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        functions = Functions(place, session)
        found = []
        for language, runtime in runtimes.items():
            found += await cold(functions, language, runtime)
        labels, pod = {"app": "bare"}, small_server("bare")
        template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        await client.create(DEPLOYMENTS, {"metadata": {"name": "bare", "namespace": "default"}, "spec": spec})
        await client.create(SERVICES, service("bare"))
        await until_pods(client, "bare", 1)
        while (await functions.ask("bare.default.localhost"))[0] != 200:
            await asyncio.sleep(0.05)
        found += await warm(functions, "bare.default.localhost")
        found += await deploys(functions, runtimes["python"])
        found += await burst(functions, runtimes["python"])
        found += await idle(functions, place, runtimes["python"])
        return found


def rows() -> Table:
    with engine() as place:
        measured = uvloop.run(measure(place))
    notes = (
        f"{ROUNDS} rounds; a new connection for each request. Published: AWS Lambda 87 to 151 ms, faasd 390 ms cold.",
    )
    return Table("Functions", ("what", "figure"), tuple(measured), notes)


def main() -> None:
    sys.stdout.write(rows().markdown())


if __name__ == "__main__":
    main()
