"""The two state machines of a sandbox, as tables: of its runtime, and of one invocation. Pure."""

from __future__ import annotations

from enum import Enum


class Runtime(Enum):
    """How the runtime of a sandbox stands."""

    SPARE = "it is bound to no function yet"
    INITIALISING = "the function is loaded for the first time"
    READY = "the handler is loaded"
    COLD = "the handler is not loaded: the next invocation loads it"
    REINITIALISING = "an invocation waits for the handler to be loaded again"
    ENDING = "the sandbox takes no more invocations"


class Happening(Enum):
    """What happens to a runtime."""

    BOUND = "the engine named the function"
    INITIALISED = "the handler was loaded"
    BROKE = "the runtime failed, exited or ran out of time, and was killed"
    WANTED = "an invocation is here"
    ENDED = "the engine ends the sandbox"


RUNTIME = {
    (Runtime.SPARE, Happening.BOUND): Runtime.INITIALISING,
    (Runtime.SPARE, Happening.BROKE): Runtime.SPARE,
    (Runtime.INITIALISING, Happening.INITIALISED): Runtime.READY,
    (Runtime.INITIALISING, Happening.BROKE): Runtime.COLD,
    (Runtime.READY, Happening.BROKE): Runtime.COLD,
    (Runtime.COLD, Happening.WANTED): Runtime.REINITIALISING,
    (Runtime.COLD, Happening.BROKE): Runtime.COLD,
    (Runtime.REINITIALISING, Happening.INITIALISED): Runtime.READY,
    (Runtime.REINITIALISING, Happening.BROKE): Runtime.COLD,
    (Runtime.ENDING, Happening.INITIALISED): Runtime.ENDING,
    (Runtime.ENDING, Happening.BROKE): Runtime.ENDING,
    **{(state, Happening.ENDED): Runtime.ENDING for state in Runtime},
}


class Invocation(Enum):
    """How one invocation stands."""

    QUEUED = "it waits for its turn"
    BEGUN = "its time runs, the handler is being loaded"
    RUNNING = "the handler has it"
    STREAMING = "the handler writes its answer"
    ANSWERED = "the caller has the handler's answer"
    FAILED = "the caller has an error"
    ABANDONED = "the caller went away before its turn"


class Step(Enum):
    """What happens to an invocation."""

    BEGIN = "its turn came"
    DELIVER = "the event went to the handler"
    STREAM = "the handler began to write"
    ANSWER = "the handler returned, or finished its stream"
    FAIL = "the handler raised, the runtime broke or time ran out"
    LEAVE = "the caller went away"


INVOCATION = {
    (Invocation.QUEUED, Step.BEGIN): Invocation.BEGUN,
    (Invocation.QUEUED, Step.LEAVE): Invocation.ABANDONED,
    (Invocation.BEGUN, Step.DELIVER): Invocation.RUNNING,
    (Invocation.BEGUN, Step.FAIL): Invocation.FAILED,
    (Invocation.RUNNING, Step.STREAM): Invocation.STREAMING,
    (Invocation.RUNNING, Step.ANSWER): Invocation.ANSWERED,
    (Invocation.RUNNING, Step.FAIL): Invocation.FAILED,
    (Invocation.STREAMING, Step.ANSWER): Invocation.ANSWERED,
    (Invocation.STREAMING, Step.FAIL): Invocation.FAILED,
}
