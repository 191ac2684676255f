"""Carry bytes between a client and a container: `exec`, `attach` and `port-forward`.

They come as WebSockets with Kubernetes' channel protocols, or as SPDY: `port-forward` inside a WebSocket, everything
after an upgrade of HTTP from clients of before 1.31. `sessions` says what the node has to give. Whatever goes wrong
before the protocol changes is an ordinary `Status`.
"""

from __future__ import annotations

from aiohttp import web

from grandstand.api.paths import Target
from grandstand.errors import BadRequest, MethodNotAllowed

from .channels import PORT_PROTOCOLS, SESSION_PROTOCOLS, chosen
from .forward_sockets import forward_channels
from .forward_spdy import forward_spdy
from .links import SocketLink, UpgradedLink
from .session_sockets import serve_socket
from .session_spdy import serve_spdy
from .sessions import Connection, NoStreams, PodStreams, stream_options
from .sockets import ClientSocket, wants_websocket

__all__ = ["NoStreams", "PodStreams", "stream"]

SPDY_IN_SOCKET = "SPDY/3.1+portforward.k8s.io"
SPDY_SESSIONS = ("v4.channel.k8s.io",)
SPDY_PORTS = ("portforward.k8s.io",)
MOST_PORTS = 100
"""Of one WebSocket: a channel's number is a byte."""

UPGRADE = (
    "Upgrade request required: exec, attach and portforward are WebSockets (GET with `Upgrade: websocket`) "
    "or SPDY (`Upgrade: SPDY/3.1`)"
)


async def stream(request: web.BaseRequest, target: Target, pods: PodStreams) -> web.StreamResponse:
    """Raises BadRequest, NotFound and PlatformError until the protocol has changed."""
    if request.method not in ("GET", "POST"):
        raise MethodNotAllowed
    if target.subresource == "portforward":
        return await _forward(request, target, pods)
    return await _session(request, target, pods)


async def _session(request: web.BaseRequest, target: Target, pods: PodStreams) -> web.StreamResponse:
    options = stream_options(request.query, command=target.subresource == "exec")
    opening = pods.execute if target.subresource == "exec" else pods.attach
    if wants_websocket(request):
        protocol = chosen(request.headers.getall("Sec-WebSocket-Protocol", ()), SESSION_PROTOCOLS)
        async with opening(target.namespace, target.name, options) as session:
            return await serve_socket(request, protocol, session, options)
    _require_spdy(request)
    async with opening(target.namespace, target.name, options) as session:
        link = await UpgradedLink.open(request, SPDY_SESSIONS)
        await serve_spdy(link, session, options)
        return link.response


async def _forward(request: web.BaseRequest, target: Target, pods: PodStreams) -> web.StreamResponse:
    async def connect(port: int) -> Connection:
        return await pods.connect(target.namespace, target.name, port)

    link: SocketLink | UpgradedLink
    if wants_websocket(request):
        offered = request.headers.getall("Sec-WebSocket-Protocol", ())
        tunnel = SPDY_IN_SOCKET in [name.strip() for text in offered for name in text.split(",")]
        protocol = None if tunnel else chosen(offered, PORT_PROTOCOLS)
        ports = () if tunnel else _ports(request)
        pods.pod_networks(target.namespace, target.name)
        if protocol is not None:
            return await forward_channels(request, protocol, ports, connect)
        link = SocketLink(await ClientSocket.open(request, SPDY_IN_SOCKET))
    else:
        _require_spdy(request)
        pods.pod_networks(target.namespace, target.name)
        link = await UpgradedLink.open(request, SPDY_PORTS)
    await forward_spdy(link, connect)
    return link.response


def _require_spdy(request: web.BaseRequest) -> None:
    if request.headers.get("Upgrade", "").lower() != "spdy/3.1":
        raise BadRequest(UPGRADE)


def _ports(request: web.BaseRequest) -> tuple[int, ...]:
    """The `ports` of the query; each may be several with commas. Raises BadRequest."""
    texts = [text for several in request.query.getall("ports", ()) for text in several.split(",") if text]
    if not texts or len(texts) > MOST_PORTS:
        raise BadRequest(f"port-forward over a WebSocket needs 1 to {MOST_PORTS} `ports` parameters, not {len(texts)}")
    if wrong := [text for text in texts if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536)]:
        raise BadRequest(f"a port is a number from 1 to 65535, not {wrong[0]!r}")
    return tuple(map(int, texts))
