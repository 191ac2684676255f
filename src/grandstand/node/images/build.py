"""Build an image from a Containerfile with buildah, without a daemon and without a registry."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ImageError
from .programs import Show, run
from .references import candidates

if TYPE_CHECKING:
    from .images import Images

NAMES = ("Containerfile", "Dockerfile")
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE | re.MULTILINE)


async def build(
    storage: Path,
    images: Images,
    context: Path,
    archive: Path,
    containerfile: Path | None,
    build_args: Mapping[str, str],
    labels: Mapping[str, str],
    show: Show | None,
) -> None:
    """Write the image that a Containerfile in `context` describes to an OCI archive. Raises ImageError."""
    file = containerfile or find_containerfile(context)
    root = ["--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
    for base in bases(file):
        await _offer(images, base, root)
    # No `--layers`: buildah 1.28 takes a cached layer for another value of a build argument.
    result = f"localhost/grandstand-build-{hashlib.sha256(str(archive).encode()).hexdigest()[:12]}"
    arguments = [*root, "bud", "--isolation", "chroot", "--format", "oci", "--tag", result]
    for name, value in build_args.items():
        arguments += ["--build-arg", f"{name}={value}"]
    for name, value in labels.items():
        arguments += ["--label", f"{name}={value}"]
    if show is None:
        arguments.append("--quiet")
    await run("buildah", [*arguments, "--file", str(file), str(context)], show=show)
    await run("buildah", [*root, "push", "--quiet", result, f"oci-archive:{archive}"])
    await run("buildah", [*root, "rmi", result])


def bases(containerfile: Path) -> list[str]:
    """The images that a Containerfile begins with."""
    return sorted(set(_FROM.findall(containerfile.read_text())))


def find_containerfile(context: Path) -> Path:
    """The Containerfile or Dockerfile of a build context. Raises ImageError where there is none."""
    for name in NAMES:
        if (context / name).is_file():
            return context / name
    raise ImageError(f"{context} has no Containerfile (or Dockerfile): write one, or name it with `--file`.")


async def _offer(images: Images, base: str, root: list[str]) -> None:
    """Give buildah an image of our store, so that FROM finds it without a registry."""
    if base == "scratch" or "$" in base:
        return
    found = images.find(base)
    if found is None:
        return
    names = [str(candidate) for candidate in candidates(base)]
    storage = f"[overlay@{root[1]}+{root[3]}]"
    for name in names:
        if found.digest in await _digest_in(name, root):
            return
    with images.exported(found) as layout:
        await run(
            "skopeo",
            ["copy", "--insecure-policy", "--quiet", f"dir:{layout}", f"containers-storage:{storage}{names[-1]}"],
        )


async def _digest_in(name: str, root: list[str]) -> str:
    """What buildah has under a name: its manifest digest, or "" where it has nothing."""
    try:
        return await run("buildah", [*root, "images", "--no-trunc", "--format", "{{.Digest}}", name])
    except ImageError:
        return ""
