"""Make the base image of the examples from Debian's packages: libc, a shell, coreutils and Python, about 65 MB."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from .image import Image
from .images import Images
from .programs import run

NAME = "localhost/debian-python:12"
RELEASE = "bookworm"
PACKAGES = ("base-files", "base-passwd", "coreutils", "dash", "libc-bin", "netbase", "python3", "tzdata")
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/lib/*/gconv/*",
)

# Packages are only unpacked, which takes seconds; these lines do what their maintainer scripts would.
# Byte code is compiled once here: a container's own root is thrown away, so Python would compile at every start.
FINISH = """
set -e
cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
ln -sf dash "$1/bin/sh"
chroot "$1" ldconfig
chroot "$1" python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11
"""


async def base_image(images: Images, cache: Path) -> Image:
    """The base image, from the image store, else from the cache directory, else made anew. Raises ImageError."""
    key = cache_key()
    found = images.find(f"{NAME}-{key}")
    if found is not None:
        return found
    archive = cache / f"debian-python-{RELEASE}-{key}.tar"
    if not archive.exists():
        await _make(images, archive)
    (image,) = await images.load(archive, f"{NAME}-{key}")
    return images.tag(image, NAME)


def cache_key() -> str:
    """Changes when what the image is made of changes."""
    recipe = "\n".join((RELEASE, FINISH, *PACKAGES, *LEFT_OUT))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


async def _make(images: Images, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with images.workspace() as made:
        root = made / "root.tar"
        await run("mmdebstrap", mmdebstrap_arguments(root), cwd=made)
        context = made / "context"
        context.mkdir()
        root.rename(context / "root.tar")
        (context / "Containerfile").write_text('FROM scratch\nADD root.tar /\nENV LANG=C.UTF-8\nCMD ["/bin/sh"]\n')
        await images.build_archive(context, made / "image.tar")
        unfinished = archive.with_suffix(f".{os.getpid()}")
        shutil.move(made / "image.tar", unfinished)
        unfinished.rename(archive)


def mmdebstrap_arguments(target: Path) -> list[str]:
    """How mmdebstrap is called. It takes the machine's own package sources, so no mirror is named."""
    return [
        "--quiet",
        "--variant=extract",
        f"--include={','.join(PACKAGES)}",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        f"--extract-hook={FINISH}",
        RELEASE,
        str(target),
    ]
