"""Carry bytes between a client and a container: `exec`, `attach` and `port-forward`.

They come as WebSockets with Kubernetes' channel protocols, or as SPDY, from clients of before 1.31. `sessions` says
what the node has to give; everything that goes wrong before the protocol changes is an ordinary `Status`.
"""

from __future__ import annotations

from aiohttp import web

from grandstand.api.paths import Target
from grandstand.errors import BadRequest, MethodNotAllowed

from .channels import PORT_PROTOCOLS, SESSION_PROTOCOLS, chosen
from .session_sockets import serve_socket
from .sessions import NoStreams, PodStreams, stream_options
from .sockets import wants_websocket

__all__ = ["NoStreams", "PodStreams", "stream"]


async def stream(request: web.BaseRequest, target: Target, pods: PodStreams) -> web.StreamResponse:
    """Raises BadRequest, NotFound and PlatformError until the protocol has changed."""
    if request.method not in ("GET", "POST"):
        raise MethodNotAllowed
    if target.subresource == "portforward":
        return await _forward(request, target, pods)
    options = stream_options(request.query, command=target.subresource == "exec")
    opening = pods.execute if target.subresource == "exec" else pods.attach
    if wants_websocket(request):
        protocol = chosen(request.headers.getall("Sec-WebSocket-Protocol", ()), SESSION_PROTOCOLS)
        async with opening(target.namespace, target.name, options) as session:
            return await serve_socket(request, protocol, session, options)
    raise BadRequest("upgrade request required")


async def _forward(request: web.BaseRequest, target: Target, pods: PodStreams) -> web.StreamResponse:
    raise BadRequest("upgrade request required")
