"""Write HAProxy's configuration for routes, backends and servers. Pure: text out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grandstand.gateway.certificates import Certificate
from grandstand.gateway.routes import UNAVAILABLE, Backend, Protocol, Route
from grandstand.gateway.servers import Duty, Server

ROUTE_MAP = "routes.map"
CERTIFICATE_LIST = "certificates.list"
EMPTY_DIRECTORY = "empty"
"""The root directory of HAProxy's workers: empty but for the socket of the activator."""
FRONTEND = "gateway"
ACTIVATOR = "activator"
"""The server of each backend that gets what no other can; its socket is in the workers' root directory."""
ACTIVATOR_SOCKET = "activator.sock"
RELEASED = "released"
"""The frontend for what the activator sends back; its socket can be reached by the engine alone."""
RELEASED_SOCKET = "released.sock"
FUNCTIONS = "functions"
"""The backend of every function URL: one server, the door, that knows which function has which host."""
DOOR_SOCKET = "functions.sock"
FUNCTION_ROUTE = Route("*.lambda-url.localhost", "/", exact=False)
LONGEST_FUNCTION_SECONDS = 905

NO_ROUTE = "no route for this host"
API_HINT = (
    "if you meant the Kubernetes API: this is the gateway. Tell kubectl where the API is:"
    " export KUBECONFIG=\\$(grandstand kubeconfig --path)"
)
UNROUTED = "unrouted"
NO_ENDPOINT = "nobody serves this at the moment: no Pod of the Service is ready, or none listens on its targetPort"

IDLE_SECONDS = 10
"""How long a client's idle connection is kept. After a reload, a drain may have to wait as long for the old worker."""

# Checks are there to bring back what `observe` took out: the node probes, so they are rare while a server is up.
# A dead server must be out before one request has met it as often as it is tried (1 + retries), hence error-limit 3;
# one error alone proves nothing: an application that restarts its workers refuses a connection now and then.
SERVER_OPTIONS = (
    "check inter 60s fastinter 1s downinter 100ms fall 3 rise 1 observe layer4 error-limit 3 on-error mark-down"
    # Idle connections go before the application ends them: gunicorn does after 2 s, uvicorn and Node after 5 s.
    " pool-purge-delay 1s"
)
# What servers and frameworks believe about who asks, also in the spelling that CGI and WSGI take for the same. Compared
# as text, in as few rules as there can be: each passes over all headers, and a regular expression costs more than all.
SPOOFED = ("forwarded -m sub", "x-real -m beg", "x_real -m beg")
# A connection upgraded to HTTP/2 without TLS would be a tunnel through which requests pass unseen.
TUNNEL = "upgrade if { req.hdr(upgrade) -m sub -i h2c }"
# It is told of each request which backend it is for: as the "unique id", that is made only where it is asked for.
ACTIVATOR_SERVER = (
    f"server {ACTIVATOR} unix@/{ACTIVATOR_SOCKET} backup send-proxy-v2 proxy-v2-options unique-id pool-max-conn 0"
)
TELL_BACKEND = "unique-id-format %b"
# The others may not be done twice. An answer of 425 says that nothing was done: of the activator, or of a program.
ONCE = "http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }"
PROTOCOL_OPTIONS = {Protocol.HTTP: "", Protocol.H2C: " proto h2", Protocol.TLS: " ssl verify none"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What one HAProxy is told once: addresses, threads, connections at once, the user that its workers run as."""

    bind: str
    port: int
    tls_port: int
    threads: int
    most_connections: int
    user: str
    group: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate as the configuration names it; the digest tells when its content changes."""

    file: str
    hosts: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Layout:
    """All of a configuration that only a reload can change; routes and servers change while it runs."""

    settings: Settings
    backends: tuple[Backend, ...]
    certificates: tuple[Listed, ...]
    has_activator: bool = False
    """Whether its backends lead to the activator: not where a Grandstand before it started HAProxy."""
    has_functions: bool = False

    def covers(self, wanted: Layout) -> bool:
        """Whether an HAProxy that runs with this layout can do what is wanted: backends too many do no harm."""
        return (
            self.settings == wanted.settings
            and self.certificates == wanted.certificates
            and self.has_activator == wanted.has_activator
            and self.has_functions == wanted.has_functions
            and set(self.backends) >= set(wanted.backends)
        )


def listed(certificate: Certificate) -> Listed:
    digest = hashlib.sha256(certificate.pem).hexdigest()[:16]
    secret = certificate.secret
    return Listed(f"{secret.namespace}.{secret.name}.{digest}.pem", certificate.hosts, digest)


def configuration(layout: Layout, servers: Mapping[str, Mapping[str, Server]]) -> str:
    """The whole configuration; `servers` by backend and name are those that it starts with."""
    sections = [
        _global(layout.settings),
        _defaults(),
        _frontend(layout),
        _released(),
        _unavailable(),
        _unrouted(),
        *([_functions()] if layout.has_functions else []),
        *(_backend(each, servers.get(each.name, {}).values()) for each in layout.backends),
    ]
    return "# Written by Grandstand at each reload: changes here are lost.\n\n" + "\n".join(sections)


def certificate_list(certificates: Iterable[Listed]) -> str:
    """The `crt-list`: each certificate's file, and the hosts that it is for."""
    lines = (f"certificates/{each.file} {' '.join(each.hosts)}".strip() for each in certificates)
    return "".join(f"{line}\n" for line in lines)


def route_map(targets: Mapping[Route, str]) -> dict[str, str]:
    """Entries of the map that the frontend looks a request up in, by the longest beginning of `host + path + "/?"`.

    A prefix route is `host/prefix/`, so it matches by whole elements; an exact one is `host/path/?`: no path holds a
    question mark, so it equals what is looked up, and is the longest there can be.
    """
    return {_map_key(route): target for route, target in targets.items()}


def map_text(entries: Mapping[str, str]) -> str:
    return "".join(f"{key} {target}\n" for key, target in sorted(entries.items()))


def server_parameters(server: Server, protocol: Protocol) -> str:
    """Address and options of a server, for the configuration and for `add server` alike."""
    address = f"[{server.address}]" if ":" in server.address else server.address
    return f"{address}:{server.port} weight {server.weight} {SERVER_OPTIONS}{PROTOCOL_OPTIONS[protocol]}"


def _map_key(route: Route) -> str:
    if route.exact:
        return f"{route.host}{route.path}/?"
    return f"{route.host}{route.path.rstrip('/')}/"


def _global(settings: Settings) -> str:
    return f"""\
global
  nbthread {settings.threads}
  maxconn {settings.most_connections}
  user {settings.user}
  group {settings.group}
  chroot {EMPTY_DIRECTORY}
  hard-stop-after 10m
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
"""


def _defaults() -> str:
    return f"""\
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-request 30s
  timeout http-keep-alive {IDLE_SECONDS}s
  timeout queue 30s
  timeout tunnel 1h
  option idle-close-on-response
  option redispatch 1
  option abortonclose
  retries 3
  retry-on conn-failure empty-response 425
  http-reuse safe
  http-error status 503 content-type text/plain hdr Retry-After 1 string "{NO_ENDPOINT}\\n"
"""


def _frontend(layout: Layout) -> str:
    settings = layout.settings
    binds = [f"bind {settings.bind}:{settings.port}"]
    if layout.certificates:
        binds.append(
            f"bind {settings.bind}:{settings.tls_port} ssl crt-list {CERTIFICATE_LIST} strict-sni alpn h2,http/1.1"
        )
    lookup = f"concat(,txn.path),map_beg({ROUTE_MAP})"
    missing = "!{ var(txn.backend) -m found }"
    spoofed = "".join(f"  http-request del-header {names}\n" for names in (*SPOOFED, TUNNEL))
    # Only with a certificate is there a port that speaks TLS, and something to ask each request.
    secure = "  http-request set-header X-Forwarded-Proto https if { ssl_fc }\n" if layout.certificates else ""
    rules = f"""\
  option forwardfor
  {TELL_BACKEND}
  http-request set-var(txn.path) path,concat(/?)
  http-request set-var(txn.backend) req.hdr(host),host_only,lower,{lookup}
  http-request set-var(txn.backend) req.hdr(host),host_only,lower,regsub(^[^.]+,*),{lookup} if {missing}
  http-request set-var(txn.backend) str(*),{lookup} if {missing}
  {ONCE}
{spoofed}  http-request set-header X-Forwarded-Proto http
{secure}  use_backend %[var(txn.backend)]
  default_backend {UNROUTED}
"""
    return f"frontend {FRONTEND}\n" + "".join(f"  {bind}\n" for bind in binds) + rules


def _released() -> str:
    """What waited comes in again here, as it is: only who connects says which backend it is for, and from where."""
    return f"""\
frontend {RELEASED}
  bind unix@{RELEASED_SOCKET} mode 600 accept-proxy
  {TELL_BACKEND}
  {ONCE}
  use_backend %[fc_pp_authority]
  default_backend {UNAVAILABLE}
"""


def _unavailable() -> str:
    answer = f'status 503 content-type text/plain hdr Retry-After 1 string "{NO_ENDPOINT}\\n"'
    return f"backend {UNAVAILABLE}\n  http-request return {answer}\n"


def _unrouted() -> str:
    """Where requests without a route go; one whose backend is not there (yet) gets the 503 of the defaults."""
    answer = "http-request return status 404 content-type text/plain string"
    missing = "!{ var(txn.backend) -m found }"
    return f"""\
backend {UNROUTED}
  acl meant_for_api path /api /apis /version
  acl meant_for_api path_beg /api/ /apis/ /openapi/
  {answer} "{NO_ROUTE}\\n{API_HINT}\\n" if {missing} meant_for_api
  {answer} "{NO_ROUTE}\\n" if {missing}
"""


def _backend(backend: Backend, servers: Iterable[Server]) -> str:
    """A backend with those servers that take requests; the others end theirs in the worker before."""
    balance = ("balance source", "hash-type consistent") if backend.sticky else ("balance roundrobin",)
    lines = [
        f"server {server.name} {server_parameters(server, backend.protocol)}"
        for server in servers
        if server.duty is Duty.SERVING
    ]
    return f"backend {backend.name}\n" + "".join(f"  {line}\n" for line in (*balance, *lines, ACTIVATOR_SERVER))


def _functions() -> str:
    """Nothing is sent twice: a function may have done its work. The door is nobody's endpoint, as the activator."""
    return f"""\
backend {FUNCTIONS}
  timeout server {LONGEST_FUNCTION_SECONDS}s
  retry-on conn-failure
  http-request set-header grandstand-event url
  server {ACTIVATOR} unix@/{DOOR_SOCKET} pool-max-conn 0
"""
