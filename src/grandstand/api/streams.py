"""Carry bytes between a client and a container: `exec`, `attach` and `port-forward`.

This is their one place. They are WebSockets with Kubernetes' channel protocols, and need the node's side first; until
then a client is told so.
"""

from __future__ import annotations

from aiohttp import web

from grandstand.errors import NotImplementedHere

from .paths import Target

ADVICE = {
    "exec": "enter the container from the machine that runs it",
    "attach": "read the container's output with `kubectl logs -f`",
    "portforward": "use http://<service>.<namespace>.localhost at the gateway's port",
}


async def stream(request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Raises NotImplementedHere."""
    raise NotImplementedHere(
        f"{target.subresource} is not served by this version of Grandstand: {ADVICE[target.subresource]}"
    )
