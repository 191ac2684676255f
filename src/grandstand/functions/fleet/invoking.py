"""Invoke functions for Lambda's API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

from grandstand.errors import GrandstandError, ServiceFault
from grandstand.functions.lambda_api.ports import Answer, InvokeKind

from .fleet import Fleet
from .launching import SandboxInstance

PIECE_BYTES = 65_536
_PASSED_ON = ("x-amz-function-error", "x-amz-executed-version", "x-amz-log-result", "content-type")


class FleetInvoker:
    """The Invoker of Lambda's API over a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def invoke(
        self, function: str, qualifier: str, payload: bytes, headers: Mapping[str, str], kind: InvokeKind
    ) -> Answer:
        target = self._fleet.target(function, qualifier)
        if kind is InvokeKind.DRY_RUN:
            return Answer(204, {}, _nothing())
        if kind is InvokeKind.EVENT:
            raise ServiceFault(
                "InvalidParameterValueException",
                "InvocationType Event is not supported by this Grandstand yet: use RequestResponse",
            )
        stack = AsyncExitStack()
        try:
            instance = await stack.enter_async_context(self._fleet.instance(target))
            assert isinstance(instance, SandboxInstance)
            path = f"/2015-03-31/functions/{target.spec.function_name}/invocations"
            event = "invoke-stream" if kind is InvokeKind.STREAM else "invoke"
            asked = instance.post(path, payload, {**headers, "grandstand-event": event})
            answer = await stack.enter_async_context(asked)
        except ServiceFault:
            await stack.aclose()
            raise
        except GrandstandError as error:
            await stack.aclose()
            raise ServiceFault("ServiceException", str(error), 500) from error
        except BaseException:
            await stack.aclose()
            raise
        said = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
        return Answer(answer.status, said, _Body(answer.content.iter_chunked(PIECE_BYTES), stack))


class _Body(AsyncIterator[bytes]):
    """What an instance answers. `aclose` gives the instance back, also when nothing was ever read."""

    def __init__(self, content: AsyncIterator[bytes], stack: AsyncExitStack) -> None:
        self._content = content
        self._stack = stack

    async def __anext__(self) -> bytes:
        return await anext(self._content)

    async def aclose(self) -> None:
        await self._stack.aclose()


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
