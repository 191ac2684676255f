"""The images of one engine: load, build, pull, look up, list, remove."""

from __future__ import annotations

import asyncio
import contextlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from grandstand.clock import Clock
from grandstand.errors import Conflict, NotFound

from . import archives
from .build import bases, find_containerfile
from .build import build as run_build
from .content import Content
from .documents import manifest_in
from .errors import ImageError, UnsafeLayer
from .freshness import LABEL, build_digest
from .image import Image
from .in_use import images_in_use
from .programs import Show, copy_to_directory
from .references import Reference, candidates, parse_reference

MANIFEST_LISTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


class Images:
    """What `data/images` holds. Safe to use from several processes and tasks at once."""

    def __init__(self, data: Path, *, clock: Clock) -> None:
        self._data = data
        self._clock = clock
        self._content = Content(data / "images")
        self._pulls: dict[str, asyncio.Task[Image]] = {}

    async def resolve(self, reference: str, pull_policy: str = "IfNotPresent") -> Image:
        """The image that a container names, pulled when the policy asks for it. Raises ImageError."""
        wanted = parse_reference(reference)
        if pull_policy != "Always":
            found = await asyncio.to_thread(self.find, reference)
            if found is not None:
                return found
        if pull_policy == "Never":
            raise ImageError(
                f'Container image "{reference}" is not present with pull policy of Never: build it with'
                f" `grandstand image build`, or load it with `grandstand image load`.",
                "ErrImageNeverPull",
            )
        return await self._pull_once(wanted)

    def find(self, reference: str) -> Image | None:
        """The local image of a name or id, or None."""
        index = self._content.index()
        if reference.startswith("sha256:"):
            return next((i for i in self.list() if reference in (i.id, i.digest)), None)
        for candidate in candidates(reference):
            digest = candidate.digest if candidate.digest in index.values() else index.get(str(candidate))
            if digest is not None:
                return self._image(digest, index)
        return None

    def list(self) -> Sequence[Image]:
        """Every image, by its first name."""
        index = self._content.index()
        return sorted((self._image(digest, index) for digest in set(index.values())), key=lambda i: i.references)

    async def pull(self, reference: str, *, plain_http: bool | None = None) -> Image:
        """Fetch an image from its registry. Raises ImageError when it cannot be had."""
        return await self._pull(parse_reference(reference), plain_http)

    async def load(self, archive: Path, reference: str | None = None) -> Sequence[Image]:
        """Take in an OCI layout directory, an OCI archive or a `docker save` archive (gzip too). Raises ImageError."""
        loaded = []
        with self.workspace() as made:
            plain = await asyncio.to_thread(archives.plain, archive, made)
            for source in await asyncio.to_thread(archives.images_in, plain):
                name = reference or source.name
                if name is None:
                    raise ImageError(f"{archive} holds an image without a name: give it one with `--tag`.")
                loaded.append(await self._take(source.transport, parse_reference(name), plain_http=False))
        return loaded

    async def build(
        self,
        context: Path,
        reference: str,
        *,
        containerfile: Path | None = None,
        build_args: Mapping[str, str] | None = None,
        show: Show | None = None,
        if_changed: bool = False,
    ) -> Image:
        """Build an image with buildah. Images of this store may be named in its FROM. Raises ImageError.

        `show` gets what buildah says as it comes. With `if_changed` an image of that name that was built from the same
        context, Containerfile, arguments and bases is taken as it is.
        """
        name = parse_reference(reference)
        digest = await asyncio.to_thread(self._build_digest, context, containerfile, build_args or {})
        known = self.find(reference) if if_changed else None
        if known is not None and known.config.labels.get(LABEL) == digest:
            return known
        with self.workspace() as made:
            archive = made / "built.tar"
            labels = {LABEL: digest}
            await self.build_archive(
                context, archive, containerfile=containerfile, build_args=build_args, labels=labels, show=show
            )
            return await self._take(f"oci-archive:{archive}", name, plain_http=False)

    async def build_archive(
        self,
        context: Path,
        archive: Path,
        *,
        containerfile: Path | None = None,
        build_args: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        show: Show | None = None,
    ) -> None:
        """Like `build`, but into an OCI archive that is not taken into the store."""
        storage = self._data / "buildah"
        await run_build(storage, self, context, archive, containerfile, build_args or {}, labels or {}, show)

    def _build_digest(self, context: Path, containerfile: Path | None, build_args: Mapping[str, str]) -> str:
        file = containerfile or find_containerfile(context)
        found = ((base, self.find(base)) for base in bases(file))
        known = [f"{base} {image.digest if image else ''}" for base, image in found]
        try:
            return build_digest(context, file, build_args, known)
        except OSError as error:
            raise ImageError(f"{context} cannot be read: {error}.") from error

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Path]:
        """A directory on the store's file system, removed at the end."""
        with self._content.temporary() as made:
            yield Path(made)

    def tag(self, image: Image, reference: str) -> Image:
        """Give an image another name, and return it with all its names."""
        with self._content.locked():
            index = {**self._content.index(), str(parse_reference(reference)): image.digest}
            self._content.save_index(index)
        return self._image(image.digest, index)

    @contextlib.contextmanager
    def exported(self, image: Image) -> Iterator[Path]:
        """An image as a `dir:` layout for skopeo, of links to the store's blobs, for as long as the context lasts."""
        manifest = self._content.manifest(image.digest)
        with self._content.temporary() as made:
            layout = Path(made)
            (layout / "version").write_text("Directory Transport Version: 1.1\n")
            (layout / "manifest.json").hardlink_to(self._content.blob(image.digest))
            for digest in {image.id, *manifest.blobs}:
                (layout / archives.blob_name(digest)).hardlink_to(self._content.blob(digest))
            yield layout

    async def remove(self, reference: str) -> None:
        """Remove a name, and the image when it was its last.

        Raises NotFound when there is no such image, Conflict when a container runs it.
        """
        await asyncio.to_thread(self._remove, reference)

    def _remove(self, reference: str) -> None:
        with self._content.locked():
            index = self._content.index()
            image = self.find(reference)
            if image is None:
                raise NotFound(f"There is no image {reference!r}: `grandstand image ls` lists them.")
            by_id = reference.startswith("sha256:")
            names = {str(c) for c in ([] if by_id else candidates(reference))}
            left = {n: d for n, d in index.items() if d != image.digest or not (by_id or n in names)}
            used = {image.id for image in images_in_use(self._data)}
            if image.digest not in left.values() and image.id in used:
                raise Conflict(f"Image {reference!r} is in use by a container: delete the Pods that run it first.")
            self._content.save_index(left)
            self._sweep(left)

    def _sweep(self, index: Mapping[str, str]) -> None:
        """Remove what neither a name nor a container needs. The caller holds the lock."""
        images = [self._image(digest, index) for digest in set(index.values())]
        blobs = {d for i in images for d in (i.id, i.digest, *self._content.manifest(i.digest).blobs)}
        layers = {layer.name for i in (*images, *images_in_use(self._data)) for layer in i.layers}
        self._content.sweep(blobs, {f"sha256:{name}" for name in layers})

    async def _pull_once(self, reference: Reference) -> Image:
        """Pull, once however many Pods ask at the same time."""
        key = str(reference)
        if key not in self._pulls:
            task = asyncio.create_task(self._pull(reference, None))
            self._pulls[key] = task
            task.add_done_callback(lambda _: self._pulls.pop(key, None))
        return await asyncio.shield(self._pulls[key])

    async def _pull(self, reference: Reference, plain_http: bool | None) -> Image:
        if plain_http is None:
            plain_http = reference.on_loopback
        try:
            return await self._take(f"docker://{reference}", reference, plain_http=plain_http)
        except ImageError as error:
            raise ImageError(
                f"{error.message}\nIf it is a local image, build it with"
                f" `grandstand image build --tag {reference.familiar} DIRECTORY`, or `grandstand image load` it.",
                error.reason,
            ) from error

    async def _take(self, source: str, reference: Reference, *, plain_http: bool) -> Image:
        """Bring an image in from a skopeo source, checked and unpacked, under a name."""
        with self._content.temporary() as made:
            layout = Path(made) / "image"
            await copy_to_directory(source, layout, plain_http=plain_http, most_bytes=self._content.room())
            try:
                return await asyncio.to_thread(self._adopt, layout, reference)
            except (OSError, tarfile.TarError) as error:
                raise ImageError(f"{reference.familiar} cannot be unpacked: {error}.") from error

    def _adopt(self, layout: Path, reference: Reference) -> Image:
        digest = archives.manifest_digest(layout)
        if reference.digest and reference.digest != digest:
            raise ImageError(f"Asked for {reference.digest}, but was given {digest}.")
        manifest = manifest_in((layout / "manifest.json").read_bytes())
        if manifest.media_type in MANIFEST_LISTS or manifest.config is None:
            raise ImageError(f"{reference.familiar} is a list of images without one for this machine.")
        with self._content.locked():
            before = self._content.index()
            try:
                self._add(layout, digest, manifest.config.digest, manifest.blobs)
            except BaseException:
                self._sweep(before)  # else an image that is pulled again and again would fill the disk
                raise
            index = {**before, str(reference): digest}
            self._content.save_index(index)
            if before.get(str(reference), digest) not in index.values():
                self._sweep(index)
            return self._image(digest, index)

    def _add(self, layout: Path, digest: str, config_digest: str, blobs: Sequence[str]) -> None:
        self._content.add_blob(layout / "manifest.json", digest)
        for blob in {config_digest, *blobs}:
            self._content.add_blob(layout / archives.blob_name(blob), blob)
        self._unpack(blobs, config_digest)

    def _unpack(self, blobs: Sequence[str], config_digest: str) -> None:
        diff_ids = self._content.configuration(config_digest).diff_ids
        if len(diff_ids) != len(blobs):
            raise UnsafeLayer(f"The image has {len(blobs)} layers, but its configuration names {len(diff_ids)}.")
        for blob, diff_id in zip(blobs, diff_ids, strict=True):
            self._content.add_layer(blob, diff_id)

    def _image(self, digest: str, index: Mapping[str, str]) -> Image:
        manifest = self._content.manifest(digest)
        if manifest.config is None:
            raise ImageError(f"{digest} is no manifest of an image. Load or pull the image again.")
        found = self._content.configuration(manifest.config.digest)
        names = sorted(name for name, named in index.items() if named == digest)
        return Image(
            id=manifest.config.digest,
            digest=digest,
            references=tuple(parse_reference(name).familiar for name in names),
            config=found.how_to_run,
            layers=tuple(self._content.layer(diff_id) for diff_id in found.diff_ids),
            size_bytes=sum(layer.size for layer in manifest.layers),
            created=found.created or "",
        )
