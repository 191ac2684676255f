"""The Python runtime: load a handler, call it with one event after the other, tell what it returned or raised."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import random
import resource
import socket
import struct
import sys
import time
import traceback
from typing import Any

from .frames import FrameReader, Kind, frame, invocation_of

TASK_ROOT = "/var/task"
_READ_BYTES = 262_144
_USED = struct.Struct("<Q")


class Identity:
    """Who asks, where a mobile app does."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.cognito_identity_id = told.get("cognitoIdentityId")
        self.cognito_identity_pool_id = told.get("cognitoIdentityPoolId")


class _Client:
    _names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, told: dict[str, Any]) -> None:
        for name in self._names:
            setattr(self, name, told.get(name))


class ClientContext:
    """What the caller said of itself."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.client = _Client(told.get("client") or {})
        self.custom = told.get("custom")
        self.env = told.get("env")


class Context:
    """The second argument of a handler."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.aws_request_id: str = meta["requestId"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn: str = meta["arn"]
        self.tenant_id = None
        told = meta.get("clientContext")
        self.client_context = ClientContext(json.loads(base64.b64decode(told))) if told else None
        self.identity = Identity(meta.get("identity") or {})
        self._deadline_ms = meta["deadlineMs"]

    def get_remaining_time_in_millis(self) -> int:
        return max(int(self._deadline_ms) - int(time.time() * 1000), 0)

    def log(self, message: object) -> None:
        sys.stdout.write(f"{message}\n")

    def __repr__(self) -> str:
        return f"LambdaContext([aws_request_id={self.aws_request_id},function_name={self.function_name}])"


class _RequestIds(logging.Filter):
    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


class HandlerMissing(Exception):
    """There is no such handler. `error_type` is Lambda's."""

    def __init__(self, error_type: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.trace = trace or []


def run(channel: socket.socket) -> None:
    """Serve the supervisor until it goes; in a process of its own, with the handler's user and streams."""
    reader = FrameReader()
    handler: Any = None
    ids = _RequestIds()
    channel.sendall(frame(Kind.BOOTED))
    while data := channel.recv(_READ_BYTES):
        for kind, number, payload in reader.feed(data):
            if kind == Kind.BIND:
                told = json.loads(payload)
                try:
                    handler = _bound(told, ids)
                except BaseException as error:
                    channel.sendall(frame(Kind.INIT_FAILED, 0, _encoded(_told(error))))
                    return
                channel.sendall(frame(Kind.READY))
            elif kind == Kind.INVOKE:
                channel.sendall(_used(number) + _answered(handler, number, payload, ids))


def _bound(told: dict[str, Any], ids: _RequestIds) -> Any:
    os.environ.clear()
    os.environ.update(told["environment"])
    if hasattr(time, "tzset"):
        time.tzset()
    random.seed()
    _streams()
    _logging(ids)
    root = told.get("taskRoot", TASK_ROOT)
    os.chdir(root)
    sys.path[:0] = [
        root,
        "/opt/python",
        f"/opt/python/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages",
    ]
    importlib.invalidate_caches()
    return _handler(told["handler"])


def _streams() -> None:
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _logging(ids: _RequestIds) -> None:
    """As Lambda sets up the root logger: to the log, at WARNING."""
    handler = logging.StreamHandler(sys.stdout)
    form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(ids)
    logging.getLogger().handlers[:] = [handler]


def _handler(name: str) -> Any:
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise HandlerMissing(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise HandlerMissing(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n']
        raise HandlerMissing(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace
        ) from error
    if not hasattr(module, function):
        raise HandlerMissing("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'")
    return getattr(module, function)


def _answered(handler: Any, number: int, payload: bytes, ids: _RequestIds) -> bytes:
    meta, event = invocation_of(payload)
    ids.request_id = str(meta["requestId"])
    trace_id = meta.get("traceId")
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = str(trace_id)
    try:
        try:
            decoded = json.loads(event or b"null")
        except ValueError as error:
            return _failure(number, "Runtime.UnmarshalError", f"Unable to unmarshal input: {error}", ids.request_id)
        result = handler(decoded, Context(meta))
        try:
            encoded = json.dumps(result, ensure_ascii=False, default=_refuse).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError) as error:
            return _failure(number, "Runtime.MarshalError", f"Unable to marshal response: {error}", ids.request_id)
        return frame(Kind.RESULT, number, encoded)
    except SystemExit as ending:  # as on Lambda: the process ends, and the caller hears how
        _flush()
        code = ending.code
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    except BaseException as error:
        told = {**_told(error), "requestId": ids.request_id}
        sys.stdout.write(_shown(told))
        return frame(Kind.FAILED, number, _encoded(told))
    finally:
        _flush()


def _refuse(value: object) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _failure(number: int, error_type: str, message: str, request_id: str) -> bytes:
    told = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": []}
    sys.stdout.write(f"[ERROR] {error_type}: {message}\n")
    return frame(Kind.FAILED, number, _encoded(told))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # it was closed by the handler
            continue


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, HandlerMissing):
        return {"errorMessage": str(error), "errorType": error.error_type, "requestId": "", "stackTrace": error.trace}
    frames = traceback.extract_tb(error.__traceback__)
    while frames and os.path.dirname(frames[0].filename) == os.path.dirname(__file__):
        frames.pop(0)
    while frames and frames[0].filename.startswith("<frozen importlib"):
        frames.pop(0)
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": "",
        "stackTrace": traceback.format_list(frames),
    }


def _shown(told: dict[str, Any]) -> str:
    """An error as Lambda's log has it: one event, with line breaks that do not end it."""
    lines = [f"[ERROR] {told['errorType']}: {told['errorMessage']}"]
    if told["stackTrace"]:
        lines += ["Traceback (most recent call last):", *(line.rstrip("\n") for line in told["stackTrace"])]
    return "\r".join("\r".join(lines).split("\n")) + "\n"


def _encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode()


def _used(number: int) -> bytes:
    return frame(Kind.USED, number, _USED.pack(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
