"""Read what the engine binds a sandbox to: one function in one version. Pure."""

from __future__ import annotations

import re

from .faults import Fault

REQUIRED = ("function", "version", "arn", "handler", "runtime", "timeoutSeconds", "memoryMB")
OPTIONAL: dict[str, object] = {
    "environment": {},
    "logGroup": "",
    "logStream": "",
    "initTimeoutSeconds": 10,
    "concurrency": 1,
    "region": "us-east-1",
    "accountId": "000000000000",
    "command": [],
    "workingDirectory": "",
    "snapStart": None,
}
KNOWN = {*REQUIRED, *OPTIONAL}
NUMBERS = ("timeoutSeconds", "memoryMB", "initTimeoutSeconds", "concurrency")
RUNTIME = re.compile(r"python3\.\d+|nodejs\d+\.x|provided(\.\w+)?")


class Binding:
    """A function as its sandbox sees it. `command` and `working_directory` are a container image's."""

    __slots__ = (
        "account_id",
        "arn",
        "command",
        "concurrency",
        "environment",
        "function",
        "handler",
        "init_timeout_seconds",
        "log_group",
        "log_stream",
        "memory_mb",
        "region",
        "runtime",
        "timeout_seconds",
        "version",
        "working_directory",
    )

    def __init__(self, message: dict[str, object]) -> None:
        """`message` is checked already: see `read_binding`."""
        known = {**OPTIONAL, **message}
        self.function = str(known["function"])
        self.version = str(known["version"])
        self.arn = str(known["arn"])
        self.handler = str(known["handler"])
        self.runtime = str(known["runtime"])
        self.timeout_seconds = float(_number(known["timeoutSeconds"]))
        self.memory_mb = int(_number(known["memoryMB"]))
        self.init_timeout_seconds = float(_number(known["initTimeoutSeconds"]))
        self.concurrency = int(_number(known["concurrency"]))
        environment = known["environment"]
        self.environment = dict(environment) if isinstance(environment, dict) else {}
        self.log_group = str(known["logGroup"]) or f"/aws/lambda/{self.function}"
        self.log_stream = str(known["logStream"])
        self.region = str(known["region"])
        self.account_id = str(known["accountId"])
        command = known["command"]
        self.command = [str(part) for part in command] if isinstance(command, list) else []
        self.working_directory = str(known["workingDirectory"])


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0


def read_binding(message: dict[str, object]) -> Binding | Fault:
    """The binding, or why the sandbox cannot be bound to it. What is not known is refused, not dropped."""
    unknown = sorted(set(message) - KNOWN)
    if unknown:
        return _refused(f"the supervisor does not know {', '.join(unknown)}; it knows {', '.join(sorted(KNOWN))}")
    missing = [key for key in REQUIRED if key not in message]
    if missing:
        return _refused(f"{', '.join(missing)} must be given")
    if message.get("snapStart"):
        return _refused("SnapStart is not supported; leave snapStart out")
    for key in NUMBERS:
        value = message.get(key, 1)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            return _refused(f"{key} must be a number above 0, it is {value!r}")
    if not RUNTIME.fullmatch(str(message["runtime"])):
        return _refused(f"runtime {message['runtime']!r} is none of python3.N, nodejsN.x, provided")
    environment = message.get("environment", {})
    if not isinstance(environment, dict) or not all(
        isinstance(name, str) and isinstance(value, str) and "\0" not in name + value and "=" not in name and name
        for name, value in environment.items()
    ):
        return _refused("environment must map names to strings, without NUL bytes")
    return Binding(message)


def _refused(why: str) -> Fault:
    return Fault("Sandbox.InvalidBinding", f"The sandbox cannot be bound: {why}.")
