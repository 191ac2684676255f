"""Make a function of a folder, or update it, through Lambda's API."""

from __future__ import annotations

import asyncio
import base64
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grandstand.clock import SystemClock
from grandstand.errors import PeerError, ServiceFault
from grandstand.functions.calling import LambdaCaller
from grandstand.functions.machine_runtimes import machine_runtimes
from grandstand.functions.packaging import detect, packed, top_level

from .function_packages import installed

FUNCTIONS = "/2015-03-31/functions"
ROLE = "arn:aws:iam::000000000000:role/grandstand"
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """What to deploy: `handler` and `runtime` are found where they are None; `settings` are fields of Lambda's API."""

    folder: Path
    name: str
    handler: str | None
    runtime: str | None
    settings: dict[str, Any]
    url: bool


@dataclass(frozen=True, slots=True)
class Deployed:
    """`url` is empty where the function has none."""

    name: str
    runtime: str
    handler: str
    url: str

    def shown(self) -> str:
        return f"{self.name} is deployed: {self.runtime}, {self.handler}{f', {self.url}' if self.url else ''}"


def deploy_folder(api: LambdaCaller, asked: Asked) -> Deployed:
    """Raises BadRequest, PeerError and ServiceFault."""
    runtime, handler = what_runs(asked.folder, asked.handler, asked.runtime)
    return deploy_artefact(api, asked, runtime, handler, packed(installed(asked.folder)))


def what_runs(folder: Path, handler: str | None, runtime: str | None) -> tuple[str, str]:
    """Runtime and handler, found where they are not given. Raises BadRequest and PeerError."""
    language = "python" if (runtime or "").startswith("python") else "nodejs" if runtime else ""
    if handler is None:
        found = detect(top_level(folder))
        handler, language = found.handler, language or found.language
    return runtime or _runtime_of(language or ("python" if list(folder.glob("*.py")) else "nodejs")), handler


def deploy_artefact(api: LambdaCaller, asked: Asked, runtime: str, handler: str, artefact: bytes) -> Deployed:
    """Return when the function may be called. Raises PeerError and ServiceFault."""
    content = base64.b64encode(artefact).decode()
    _create_or_update(api, asked.name, {"Runtime": runtime, "Handler": handler, **asked.settings}, content)
    return Deployed(asked.name, runtime, handler, _url(api, asked.name) if asked.url else "")


@functools.cache
def _known_runtimes() -> tuple[str, ...]:
    """Asking Node.js for its version takes a tenth of a second: once for all deploys of a watch."""
    return tuple(runtime.name for runtime in machine_runtimes())


def _runtime_of(language: str) -> str:
    known = _known_runtimes()
    for name in known:
        if name.startswith(language):
            return name
    raise PeerError(f"this machine has no runtime for {language}: it has {', '.join(known)}")


def _create_or_update(api: LambdaCaller, name: str, wanted: dict[str, Any], content: str) -> None:
    try:
        there = api.ask("GET", f"{FUNCTIONS}/{name}/configuration").json
    except ServiceFault as fault:
        if fault.error != "ResourceNotFoundException":
            raise
        whole = {"FunctionName": name, "Role": ROLE, "Code": {"ZipFile": content}, **wanted}
        api.ask("POST", FUNCTIONS, whole)
    else:
        if any(there.get(key) != value for key, value in wanted.items()):
            api.ask("PUT", f"{FUNCTIONS}/{name}/configuration", wanted)
        api.ask("PUT", f"{FUNCTIONS}/{name}/code", {"ZipFile": content})
    _until_active(api, name)


def _until_active(api: LambdaCaller, name: str) -> None:
    """Return when the function may be called. Lambda's API has nothing that could be waited on."""
    clock = SystemClock()
    while True:
        there = api.ask("GET", f"{FUNCTIONS}/{name}/configuration").json
        if there["State"] == "Failed" or there.get("LastUpdateStatus") == "Failed":
            reason = there.get("StateReason") or there.get("LastUpdateStatusReason")
            raise PeerError(f"{name} could not be deployed: {reason}")
        if there["State"] == "Active" and there.get("LastUpdateStatus") != "InProgress":
            return
        asyncio.run(clock.sleep(POLL_SECONDS))


def _url(api: LambdaCaller, name: str) -> str:
    path = f"/2021-10-31/functions/{name}/url"
    try:
        return str(api.ask("GET", path).json["FunctionUrl"])
    except ServiceFault as fault:
        if fault.error != "ResourceNotFoundException":
            raise
    return str(api.ask("POST", path, {"AuthType": "NONE"}).json["FunctionUrl"])
