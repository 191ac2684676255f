"""What can go wrong with an invocation, in the shapes that Lambda gives it. Pure."""

from __future__ import annotations

import json

RESPONSE_LIMIT_BYTES = 6 * 1024 * 1024 + 100
REQUEST_LIMIT_BYTES = 6 * 1024 * 1024
SIGNALS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
    31: "bad system call",
}


class Fault:
    """An error type, a message and, when the runtime told it, the JSON to hand on as it is."""

    __slots__ = ("body", "error_type", "message")

    def __init__(self, error_type: str, message: str, body: bytes | None = None) -> None:
        self.error_type = error_type
        self.message = message
        self.body = body

    def encoded(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps({"errorType": self.error_type, "errorMessage": self.message}).encode()

    def shown(self) -> dict[str, object]:
        """For the engine: always a type and a message, and a trace where there is one."""
        told = told_by(self.body) if self.body is not None else {}
        shown: dict[str, object] = {"errorType": self.error_type, "errorMessage": self.message}
        trace = told.get("stackTrace") or told.get("trace")
        return {**shown, "stackTrace": trace} if isinstance(trace, list) and trace else shown


def told_by(body: bytes) -> dict[str, object]:
    """What a runtime sent as its error, if it is JSON at all."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def told_fault(body: bytes, error_type: str = "") -> Fault:
    """A fault that the runtime told; `error_type` counts where the body has none."""
    told = told_by(body)
    return Fault(str(told.get("errorType") or error_type or "Unhandled"), str(told.get("errorMessage") or ""), body)


def timed_out(request_id: str, timeout_seconds: float) -> Fault:
    return Fault(
        "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_seconds:.2f} seconds"
    )


def way_out(status: int) -> str:
    """How a process ended, from what waitpid gives; in the words of Lambda's logs."""
    signal = status & 0x7F
    if signal:
        core = " (core dumped)" if status & 0x80 else ""
        return f"Runtime exited with error: signal: {SIGNALS.get(signal, signal)}{core}"
    code = (status >> 8) & 0xFF
    return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"


def exited(request_id: str, status: int, *, out_of_memory: bool = False) -> Fault:
    error_type = "Runtime.OutOfMemory" if out_of_memory else "Runtime.ExitError"
    return Fault(error_type, f"RequestId: {request_id} Error: {way_out(status)}")


def response_too_large() -> Fault:
    return Fault(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes).",
    )


def not_started(error: OSError) -> Fault:
    return Fault("Runtime.InvalidEntrypoint", f"The runtime could not be started: {error.strerror}: {error.filename}")
