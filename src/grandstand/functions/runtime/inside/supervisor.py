"""Supervise one sandbox: take requests, have the runtime process answer them, keep time, logs and the meter.

One thread around one epoll. It is the first process of its pid namespace, and the only one that is not the handler's.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import socket
import struct
import time
import uuid
from collections import deque
from collections.abc import Callable

from . import log_lines, runtime_process
from .binding import Binding, read_binding
from .connections import MOST_PENDING_BYTES, Connection
from .environment import TASK_ROOT, environment_for
from .faults import RESPONSE_LIMIT_BYTES, Fault, exited, not_started, response_too_large, timed_out, told_fault
from .frames import BadFrame, FrameReader, Kind, frame, invoke_frame
from .http1 import Refused, answer
from .invocation import Invocation
from .invocations import RUNTIME, Happening, Runtime, Step
from .log_files import LogFiles
from .meter import SIZE_BYTES, Meter

_READ_BYTES = 262_144
_SEND_SECONDS = 5.0
_USED = struct.Struct("<Q")
_OWN = ("GS_CONTROL", "GS_LISTEN", "GS_LOG_A", "GS_LOG_B", "GS_METER")
_FAULTY = select.EPOLLHUP | select.EPOLLERR


def run(environment: dict[str, str]) -> None:
    """Until the engine goes or says so. `environment` names the descriptors: GS_CONTROL and the like."""
    Supervisor(environment).serve()


def run_node(environment: dict[str, str]) -> None:
    """As `run`, for functions in Node.js."""
    run({**environment, "GS_RUNTIME": "nodejs"})


class Supervisor:
    """`GS_RUNTIME` is what boots before the sandbox is bound: python (the default) or nodejs."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._own = [int(environment[name]) for name in _OWN]
        control, listener, log_a, log_b, meter = self._own
        self._control = socket.socket(fileno=control)
        self._listener = socket.socket(fileno=listener)
        self._listener.setblocking(False)
        self._logs = LogFiles(log_a, log_b)
        self._meter = Meter(mmap.mmap(meter, SIZE_BYTES))
        self._kind = environment.get("GS_RUNTIME", "python")
        self._task_root = environment.get("GS_TASK_ROOT", TASK_ROOT)
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._binding: Binding | None = None
        self._state = Runtime.SPARE
        self._process: runtime_process.RuntimeProcess | None = None
        self._frames = FrameReader()
        self._init_began = 0.0
        self._init_ms: float | None = None
        self._init_deadline: float | None = None
        self._queue: deque[Invocation] = deque()
        self._running: dict[int, Invocation] = {}
        self._number = 0
        self._ends_at: float | None = None
        self._held_up = False

    def serve(self) -> None:
        self._watch(self._control.fileno(), self._hear)
        self._watch(self._listener.fileno(), self._accept)
        self._start_process()
        while self._ends_at is None or (self._running and time.monotonic() < self._ends_at):
            for number, happened in self._epoll.poll(self._seconds_left()):
                handler = self._handlers.get(number)
                if handler is not None:
                    handler(happened)
            self._look_at_clock()
        if self._process is not None:
            self._process.kill()
        self._tell({"ended": {"reason": "the engine asked for it"}})

    # The engine

    def _hear(self, _happened: int) -> None:
        packet = self._control.recv(_READ_BYTES)
        if not packet:
            self._ends_at = 0.0
            return
        message = json.loads(packet)
        if "bind" in message:
            self._bind(message["bind"])
        elif "end" in message:
            self._state = RUNTIME[self._state, Happening.ENDED]
            self._ends_at = time.monotonic() + float(message["end"])

    def _tell(self, message: dict[str, object]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            self._ends_at = 0.0

    def _bind(self, message: dict[str, object]) -> None:
        bound = read_binding(message)
        if isinstance(bound, Fault):
            self._tell({"failed": bound.shown()})
            return
        self._binding = bound
        self._state = RUNTIME[self._state, Happening.BOUND]
        self._initialise()

    # The runtime process

    def _start_process(self) -> None:
        try:
            process = runtime_process.start(self._kind, [*self._own, self._epoll.fileno(), *self._sockets()])
        except OSError as error:
            fault = not_started(error)
            self._broken(lambda _: fault)
            return
        self._process = process
        self._frames = FrameReader()
        self._held_up = False
        self._watch(process.channel.fileno(), self._read_frames)
        self._watch(process.output, self._read_output)
        self._watch(process.watched, self._process_ended)

    def _sockets(self) -> list[int]:
        return [each for each in self._handlers if each not in self._own]

    def _initialise(self) -> None:
        assert self._binding is not None
        if self._process is None:
            self._start_process()
        if self._process is None:
            return
        binding = self._binding
        self._init_began = time.monotonic()
        self._init_deadline = self._init_began + binding.init_timeout_seconds
        message = {
            "environment": environment_for(binding, self._task_root),
            "handler": binding.handler,
            "taskRoot": self._task_root,
        }
        self._to_runtime(frame(Kind.BIND, 0, json.dumps(message).encode()))

    def _to_runtime(self, data: bytes) -> None:
        assert self._process is not None
        channel = self._process.channel
        channel.setblocking(True)
        channel.settimeout(_SEND_SECONDS)
        try:
            channel.sendall(data)
        except TimeoutError:
            self._process.signal_death()  # it reads no more, and has half of a frame
        except OSError:
            pass  # it has ended: that is seen elsewhere
        finally:
            channel.setblocking(False)

    def _read_frames(self, _happened: int) -> None:
        assert self._process is not None
        try:
            data = self._process.channel.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._unwatch(self._process.channel.fileno())  # how it ended is seen when it has
            return
        try:
            frames = self._frames.feed(data)
        except BadFrame as error:
            message = str(error)
            self._broken(
                lambda request_id: Fault("Runtime.InvalidResponse", f"RequestId: {request_id} Error: {message}")
            )
            return
        for kind, number, payload in frames:
            self._take(kind, number, payload)

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind == Kind.BOOTED:
            if self._state is Runtime.SPARE:
                self._tell({"booted": {}})
        elif kind == Kind.READY:
            self._initialised()
        elif kind == Kind.INIT_FAILED:
            self._drain_output()
            self._broken(lambda _: told_fault(payload))
        else:
            invocation = self._running.get(number)
            if invocation is not None:
                self._take_answer(invocation, kind, payload)

    def _take_answer(self, invocation: Invocation, kind: int, payload: bytes) -> None:
        version = self._binding.version if self._binding is not None else ""
        if kind == Kind.USED:
            (invocation.used_bytes,) = _USED.unpack(payload)
        elif kind == Kind.RESULT:
            if len(payload) > RESPONSE_LIMIT_BYTES:
                self._finish(invocation, response_too_large())
                return
            tail = self._reported(invocation)
            invocation.step(Step.ANSWER)
            invocation.succeed(payload, version, tail)
            self._done(invocation)
        elif kind in (Kind.FAILED, Kind.STREAM_FAILED):
            self._finish(invocation, told_fault(payload))
        elif kind == Kind.STREAM_BEGAN:
            invocation.begin_stream(payload.decode(errors="replace"), version)
        elif kind == Kind.STREAM_PIECE:
            invocation.stream(payload)
            self._hold_up(invocation)
        elif kind == Kind.STREAM_ENDED:
            tail = self._reported(invocation)
            invocation.step(Step.ANSWER)
            invocation.end_stream(version, tail)
            self._done(invocation)

    def _hold_up(self, invocation: Invocation) -> None:
        """Read no more of a stream than its client does."""
        self._settle(invocation.connection)
        if len(invocation.connection.pending) > MOST_PENDING_BYTES and self._process is not None:
            self._held_up = True
            self._unwatch(self._process.channel.fileno())

    def _initialised(self) -> None:
        if (self._state, Happening.INITIALISED) not in RUNTIME:
            return  # user code wrote to the channel
        began, self._init_deadline = self._init_began, None
        first = self._state is Runtime.INITIALISING
        self._state = RUNTIME[self._state, Happening.INITIALISED]
        milliseconds = (time.monotonic() - began) * 1000
        if first:
            self._init_ms = milliseconds
            self._meter.init_ms += int(milliseconds)
            self._tell({"ready": {"initMillis": milliseconds}})
        self._deliver()

    def _process_ended(self, _happened: int) -> None:
        self._drain_frames()
        if self._process is not None:
            self._broken(None)

    def _drain_frames(self) -> None:
        """What it said before it ended counts."""
        process = self._process
        while process is not None and process is self._process:
            try:
                data = process.channel.recv(_READ_BYTES)
            except OSError:
                return
            if not data:
                return
            try:
                for kind, number, payload in self._frames.feed(data):
                    self._take(kind, number, payload)
            except BadFrame:
                return

    def _broken(self, fault_for: Callable[[str], Fault] | None) -> None:
        """The runtime can serve no more: kill it, and answer who was waiting for it. None: it ended by itself."""
        status = self._end_process()
        first = self._state is Runtime.INITIALISING
        was_spare = self._state is Runtime.SPARE
        self._state = RUNTIME[self._state, Happening.BROKE]
        self._init_deadline = None
        told = fault_for or (lambda request_id: exited(request_id, status))
        if was_spare:
            self._tell({"failed": told("").shown()})
            self._ends_at = 0.0
            return
        if first:
            fault = told("")
            milliseconds = (time.monotonic() - self._init_began) * 1000
            self._log(log_lines.init_report(milliseconds, "init", "error", fault.error_type))
            self._tell({"failed": fault.shown()})
        for invocation in [*self._running.values()]:
            fault = told(invocation.request_id)
            if fault_for is None:
                words = fault.message.partition("Error: ")[2]
                self._log(log_lines.runtime_exited(invocation.request_id, words, fault.error_type))
            self._finish(invocation, fault)

    def _end_process(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        for number in (process.channel.fileno(), process.output, process.watched):
            self._unwatch(number)
        status = process.kill()
        self._logs.drain(process.output)
        os.close(process.output)
        return status

    # Output

    def _read_output(self, _happened: int) -> None:
        if self._process is not None and not self._logs.drain(self._process.output, once=True):
            self._unwatch(self._process.output)

    def _drain_output(self) -> None:
        if self._process is not None:
            self._logs.drain(self._process.output)

    def _log(self, text: str) -> None:
        self._logs.write(text.encode(), time.time())

    # Requests

    def _accept(self, _happened: int) -> None:
        try:
            accepted, _ = self._listener.accept()
        except OSError:
            return
        connection = Connection(accepted)
        self._watch(accepted.fileno(), lambda happened: self._served(connection, happened))

    def _served(self, connection: Connection, happened: int) -> None:
        if happened & select.EPOLLOUT:
            connection.flush()
            if self._held_up and len(connection.pending) < MOST_PENDING_BYTES and self._process is not None:
                self._held_up = False
                self._watch(self._process.channel.fileno(), self._read_frames)
        if happened & (select.EPOLLIN | _FAULTY) and connection.request is None:
            self._read(connection, connection.read)
        elif happened & (_FAULTY | select.EPOLLRDHUP):
            connection.is_open = False
        self._settle(connection)

    def _read(self, connection: Connection, read: Callable[[], object]) -> None:
        try:
            read()
        except Refused as refusal:
            body = json.dumps({"Type": "User", "message": str(refusal)}).encode()
            connection.send(answer(refusal.status, [("content-type", "application/json")], body, keep_alive=False))
            connection.closing = True
            return
        if connection.request is not None:
            self._number = self._number % 0xFFFFFFFF + 1
            self._queue.append(Invocation(self._number, connection, connection.request, str(uuid.uuid4())))
            self._advance()

    def _settle(self, connection: Connection) -> None:
        """Watch a connection for what matters now; let go of one that is over."""
        number = connection.socket.fileno()
        if number < 0:
            return
        if not connection.is_open or (connection.closing and not connection.pending):
            self._unwatch(number)
            connection.socket.close()
            self._forget(connection)
            return
        events = select.EPOLLRDHUP | (select.EPOLLOUT if connection.pending else 0)
        if connection.request is None and not connection.closing:
            events |= select.EPOLLIN
        self._epoll.modify(number, events)

    def _forget(self, connection: Connection) -> None:
        """Whoever waited for its turn on this connection waits no longer; what runs is run to its end."""
        for invocation in [each for each in self._queue if each.connection is connection]:
            invocation.step(Step.LEAVE)
            self._queue.remove(invocation)

    def _advance(self) -> None:
        """Begin as many as may run at a time."""
        if self._binding is None:
            return
        while self._queue and len(self._running) < self._binding.concurrency:
            invocation = self._queue.popleft()
            invocation.step(Step.BEGIN)
            invocation.begun = time.monotonic()
            self._running[invocation.number] = invocation
            self._meter.in_flight = len(self._running)
            self._meter.write(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            if self._state is Runtime.COLD:
                self._state = RUNTIME[self._state, Happening.WANTED]
                self._initialise()
            if self._state is not Runtime.INITIALISING:
                invocation.deadline = invocation.begun + self._binding.timeout_seconds
            self._logs.tail = bytearray()
            self._log(log_lines.start(invocation.request_id, self._binding.version))
        self._deliver()

    def _deliver(self) -> None:
        if self._state is not Runtime.READY or self._binding is None:
            return
        for invocation in self._running.values():
            if invocation.state.name == "BEGUN":
                if not invocation.deadline:
                    invocation.begun = time.monotonic()
                    invocation.deadline = invocation.begun + self._binding.timeout_seconds
                invocation.init_ms, self._init_ms = self._init_ms, None
                invocation.step(Step.DELIVER)
                now, left = time.time(), invocation.deadline - time.monotonic()
                event = invocation.event(self._binding, now)
                self._to_runtime(invoke_frame(invocation.number, invocation.meta(self._binding, now, left), event))

    def _finish(self, invocation: Invocation, fault: Fault) -> None:
        self._meter.errors += 1
        tail = self._reported(invocation, fault)
        version = self._binding.version if self._binding is not None else ""
        invocation.fail(fault, version, tail)
        invocation.step(Step.FAIL)
        self._done(invocation)

    def _reported(self, invocation: Invocation, fault: Fault | None = None) -> bytes:
        """Write the last lines of an invocation and its row in the meter; gives the end of the log for its caller."""
        assert self._binding is not None
        self._drain_output()
        now, binding = time.monotonic(), self._binding
        duration_ms = (now - invocation.begun) * 1000
        status = "" if fault is None else "timeout" if fault.error_type == "Sandbox.Timedout" else "error"
        if fault is not None and fault.error_type == "Sandbox.Timedout":
            duration_ms = binding.timeout_seconds * 1000
            self._meter.timeouts += 1
        self._log(log_lines.end(invocation.request_id))
        used = invocation.used_bytes
        shown = fault.error_type if fault is not None and fault.error_type.startswith("Runtime.") else ""
        self._log(
            log_lines.report(
                invocation.request_id,
                duration_ms,
                binding.memory_mb,
                used,
                init_ms=invocation.init_ms,
                status="" if status == "error" and not shown else status,
                error_type=shown,
            )
        )
        billed = log_lines.billed_ms(duration_ms, invocation.init_ms)
        meter = self._meter
        meter.invocations += 1
        meter.billed_ms += billed
        meter.mb_ms += billed * binding.memory_mb
        meter.max_memory_bytes = max(meter.max_memory_bytes, used)
        tail = bytes(self._logs.tail or b"")
        if len(self._running) <= 1:
            self._logs.tail = None
        return tail

    def _done(self, invocation: Invocation) -> None:
        self._running.pop(invocation.number, None)
        self._meter.in_flight = len(self._running)
        self._meter.write(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        connection = invocation.connection
        connection.request = None
        if not invocation.request.keep_alive:
            connection.closing = True
        elif connection.is_open and not connection.closing:
            self._read(connection, connection.next_request)
        self._settle(connection)
        if self._process is not None:
            self._process.reap_orphans()
        self._advance()

    # Time

    def _seconds_left(self) -> float | None:
        moments = [each.deadline for each in self._running.values() if each.deadline]
        moments += [each for each in (self._init_deadline, self._ends_at) if each is not None]
        return max(min(moments) - time.monotonic(), 0.0) if moments else None

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        late = [each for each in self._running.values() if each.deadline and each.deadline <= now]
        if late and self._binding is not None:
            seconds = self._binding.timeout_seconds
            for invocation in late:
                self._log(log_lines.timed_out(invocation.request_id, seconds, time.time()))
            # Those that were in time share the process, and its end, with the one that was not.
            self._broken(lambda request_id: timed_out(request_id, seconds))
        elif self._init_deadline is not None and self._init_deadline <= now and self._binding is not None:
            seconds = self._binding.init_timeout_seconds
            self._broken(lambda request_id: timed_out(request_id, seconds))

    # Descriptors

    def _watch(self, number: int, handler: Callable[[int], None]) -> None:
        self._handlers[number] = handler
        self._epoll.register(number, select.EPOLLIN)

    def _unwatch(self, number: int) -> None:
        if self._handlers.pop(number, None) is not None:
            self._epoll.unregister(number)
