"""Names of images, normalised as Docker does: `nginx` is `docker.io/library/nginx:latest`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ImageError

_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d+)?"
_PATTERN = re.compile(rf"(?:({_HOST})/)?({_PATH})(?::([\w][\w.-]{{0,127}}))?(?:@(sha256:[0-9a-f]{{64}}))?", re.ASCII)

DOCKER = "docker.io"
LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class Reference:
    """`host/path:tag` or `host/path@digest`; the host is always there, and so is one of tag and digest."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def short(self) -> bool:
        """Whether it was (or may be) written without a host."""
        return self.host == DOCKER

    @property
    def on_loopback(self) -> bool:
        """Whether its registry, if it is one, is this machine."""
        name = self.host.rsplit(":", 1)[0]
        return name == LOCAL or name == "[::1]" or name.startswith("127.")

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" + (f"@{self.digest}" if self.digest else f":{self.tag}")

    @property
    def familiar(self) -> str:
        """As people write it: without `docker.io/` and `library/`."""
        text = str(self)
        return text.removeprefix(f"{DOCKER}/library/").removeprefix(f"{DOCKER}/")


def parse_reference(text: str) -> Reference:
    """Read an image's name. Raises ImageError (InvalidImageName) for text that is none."""
    match = _PATTERN.fullmatch(text)
    if match is None or len(text) > 512:
        raise ImageError(
            f"{text!r} is no image name: write [host[:port]/]path[:tag][@sha256:digest] in lower case,"
            " e.g. payment-app:v1",
            "InvalidImageName",
        )
    host, path, tag, digest = match.groups()
    if host is not None and not ("." in host or ":" in host or host == LOCAL):
        host, path = None, f"{host}/{path}"
    if path != path.lower():
        raise ImageError(f"{text!r} is no image name: the path must be in lower case", "InvalidImageName")
    if host in (None, DOCKER, "index.docker.io"):
        host, path = DOCKER, path if "/" in path else f"library/{path}"
    return Reference(host, path, "" if digest else tag or "latest", digest or "")


def candidates(text: str) -> tuple[Reference, ...]:
    """The names under which a local image may be stored: a name without host also means `localhost/…`, as in podman."""
    reference = parse_reference(text)
    if not reference.short or text.startswith((DOCKER, "index.docker.io")):
        return (reference,)
    local = Reference(LOCAL, reference.path.removeprefix("library/"), reference.tag, reference.digest)
    return (reference, local)
