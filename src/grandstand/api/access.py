"""Let clients in: the server's certificate, the administrator's token, and the kubeconfig that holds both."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import sys
from collections.abc import Sequence

import msgspec

from grandstand.clock import Clock
from grandstand.engine import CLUSTER_DOMAIN, Engine
from grandstand.errors import PlatformError
from grandstand.private_files import make_directory, write_private

from .certificates import Certificates
from .tokens import ADMIN, Tokens

log = logging.getLogger(__name__)

CHECK_SECONDS = 12 * 3600.0
"""How often the certificate's end is looked at, and how long after a failed renewal the next is tried."""


class Access:
    """Who may use the API of one engine, and how they know that it is this one."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._certificates = Certificates(engine.data / "pki")
        self._names = server_names(engine)
        self.tokens = Tokens([])
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2

    async def prepare(self) -> None:
        """Make what is missing. Raises PlatformError."""
        make_directory(self._engine.data)
        await self._renew_if_due()
        self._load()

    @property
    def root_ca(self) -> str:
        """The certificate of the authority that signs the API's, as PEM."""
        return self._certificates.authority.read_text()

    def admit_admin(self, port: int) -> None:
        """Write the kubeconfig for the port that the API listens on.

        Its token is kept while it is valid: only its hash is known here, so a lost kubeconfig gets a new one.
        """
        path = self._engine.data / "tokens.json"
        self.tokens = Tokens.read(path)
        token = self._known_token()
        if token is None:
            token = self._clock.token()
            self.tokens.add(token, ADMIN)
            self.tokens.write(path)
        authority = self.root_ca.encode()
        write_private(self._engine.kubeconfig, kubeconfig(f"https://127.0.0.1:{port}", authority, token))

    async def keep_certificates(self) -> None:
        """Renew the certificate in time, for connections made from then on. Never returns: cancel it."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            try:
                if await self._renew_if_due():
                    self._load()
                    log.info("the certificate of the API was renewed")
            except (PlatformError, OSError) as error:
                log.error("the certificate of the API was not renewed, next try in 12 hours: %s", error)

    def _load(self) -> None:
        self.tls.load_cert_chain(self._certificates.server)

    def _known_token(self) -> str | None:
        """The token in the kubeconfig, where it is valid."""
        from .yaml_bodies import load

        try:
            token = load(self._engine.kubeconfig.read_bytes())["users"][0]["user"]["token"]
            return str(token) if self.tokens.holder(f"Bearer {token}") else None
        except Exception:  # whatever is wrong with the file, it is written anew
            return None

    async def _renew_if_due(self) -> bool:
        now = self._clock.now()
        if not self._certificates.due(self._names, now):
            return False
        arguments = [str(self._certificates.directory), str(now), *self._names]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"{__package__}.certificates",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise PlatformError(
                f"the certificates in {self._certificates.directory} could not be made: {''.join(last)}. "
                "Check that the directory can be written; delete it to have all of them made anew."
            )
        return True


def server_names(engine: Engine) -> Sequence[str]:
    """The names and addresses that clients reach the API by, from this machine and from Pods."""
    service = "kubernetes.default"
    return (
        "localhost",
        "kubernetes",
        service,
        f"{service}.svc",
        f"{service}.svc.{CLUSTER_DOMAIN}",
        "127.0.0.1",
        "::1",
        str(engine.api_address),
        str(engine.bridge_address),
    )


def kubeconfig(server: str, authority: bytes, token: str) -> bytes:
    """A kubeconfig with one context, as JSON, which is YAML too."""
    name = "grandstand"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()},
            }
        ],
        "users": [{"name": f"{name}-admin", "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-admin", "namespace": "default"}}],
        "current-context": name,
    }
    return msgspec.json.format(msgspec.json.encode(config)) + b"\n"
