"""Read from a kubeconfig how to reach an API server and who to be there."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from grandstand.errors import BadRequest

UNSUPPORTED = ("exec", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra")


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server, what its certificate is checked against, and a credential. Certificates and keys are PEM.

    `authority` None means the authorities that this machine trusts. `insecure` checks nothing.
    """

    server: str
    authority: str | None = None
    insecure: bool = False
    server_name: str | None = None
    proxy: str | None = None
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    namespace: str = "default"


def load(path: Path, context: str | None = None) -> Connection:
    """The connection of a context (None: the current one). Raises BadRequest where the file does not give it."""
    try:
        config = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"cannot read the kubeconfig {path}: {error}") from error
    if not isinstance(config, dict):
        raise BadRequest(f"{path} is no kubeconfig: it holds no mapping")
    return _Reader(path, config).connection(context or config.get("current-context") or "")


class _Reader:
    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self._path = path
        self._config = config

    def connection(self, context_name: str) -> Connection:
        if not context_name:
            raise BadRequest(f"{self._path} has no current-context: name one of {self._names('contexts')}")
        context = self._entry("contexts", context_name)
        cluster = self._entry("clusters", str(context.get("cluster", "")))
        user = self._entry("users", str(context["user"])) if context.get("user") else {}
        refused = [name for name in UNSUPPORTED if user.get(name)]
        if refused:
            raise BadRequest(
                f"{self._path} authenticates by {', '.join(refused)}, which Grandstand does not do: "
                "use a token or a client certificate, e.g. of a ServiceAccount made for it"
            )
        server = cluster.get("server")
        if not isinstance(server, str) or not server.startswith(("https://", "http://")):
            raise BadRequest(f"{self._path} gives no https:// server for the context {context_name!r}")
        return Connection(
            server=server.rstrip("/"),
            authority=self._content(cluster, "certificate-authority"),
            insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
            server_name=cluster.get("tls-server-name"),
            proxy=cluster.get("proxy-url"),
            token=self._token(user),
            user=user.get("username"),
            password=user.get("password"),
            certificate=self._content(user, "client-certificate"),
            key=self._content(user, "client-key"),
            namespace=context.get("namespace") or "default",
        )

    def _entry(self, section: str, name: str) -> dict[str, Any]:
        for entry in self._config.get(section) or []:
            if entry.get("name") == name:
                return dict(entry.get(section.removesuffix("s")) or {})
        raise BadRequest(f"{self._path} has no {section.removesuffix('s')} {name!r}: it has {self._names(section)}")

    def _names(self, section: str) -> str:
        return ", ".join(str(entry.get("name")) for entry in self._config.get(section) or []) or "none"

    def _content(self, entry: dict[str, Any], name: str) -> str | None:
        """What `name`-data holds in base64, or the file that `name` names; data wins, as in kubectl."""
        if entry.get(f"{name}-data"):
            try:
                return b64decode(entry[f"{name}-data"], validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise BadRequest(f"{name}-data in {self._path} is not base64 of PEM: {error}") from error
        return self._file(entry[name], name) if entry.get(name) else None

    def _token(self, user: dict[str, Any]) -> str | None:
        if user.get("token"):
            return str(user["token"])
        return self._file(user["tokenFile"], "tokenFile").strip() if user.get("tokenFile") else None

    def _file(self, name: str, what: str) -> str:
        try:
            return (self._path.parent / name).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"cannot read the {what} that {self._path} names: {error}") from error
