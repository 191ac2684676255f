"""Images are built, loaded, pulled, mounted and removed: real buildah, skopeo, registry on loopback, overlayfs."""

import asyncio
import os
import socket
import subprocess
from pathlib import Path

import msgspec
import pytest

from grandstand.clock import SystemClock
from grandstand.errors import Conflict, NotFound, PlatformError
from grandstand.node.images import ImageError, Images
from grandstand.node.images.debian import base_image
from grandstand.node.rootfs import Rootfs, mount_overlay

CACHE = Path(os.environ.get("GRANDSTAND_CACHE", "/var/cache/grandstand"))

CONTAINERFILE = """
FROM scratch
ARG GREETING=hello
COPY file /etc/file
ENV GREETING=$GREETING
USER 7:8
WORKDIR /etc
EXPOSE 80
STOPSIGNAL SIGINT
LABEL a=b
ENTRYPOINT ["/bin/x"]
CMD ["y"]
"""


@pytest.fixture
def images(tmp_path):
    return Images(tmp_path / "data", clock=SystemClock())


@pytest.fixture
def context(tmp_path):
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Containerfile").write_text(CONTAINERFILE)
    (directory / "file").write_text("content")
    return directory


async def test_build_says_how_the_image_wants_to_run(images, context):
    built = await images.build(context, "app:v1", build_args={"GREETING": "namaste"})
    config = built.config
    assert (config.entrypoint, config.cmd, config.user, config.working_dir) == (("/bin/x",), ("y",), "7:8", "/etc")
    assert "GREETING=namaste" in config.env
    assert (config.stop_signal, config.exposed_ports, config.labels["a"]) == ("SIGINT", ("80/tcp",), "b")
    assert images.find("app:v1") == images.find("docker.io/library/app:v1") == images.find(built.id) == built


async def test_another_build_argument_gives_another_image(images, context):
    first = await images.build(context, "app:v1", build_args={"GREETING": "a"})
    second = await images.build(context, "app:v2", build_args={"GREETING": "b"})
    assert first.id != second.id
    assert [i.references for i in images.list()] == [("app:v1",), ("app:v2",)]


async def test_an_image_is_kept_if_nothing_that_it_is_built_from_has_changed(images, context):
    async def build(**changes):
        said = []
        built = await images.build(context, "app:v1", if_changed=True, show=said.append, **changes)
        return built.id, bool(said)

    first, _ = await build()
    assert await build() == (first, False)
    (context / "file").write_text("other")
    second, built = await build()
    assert second != first
    assert built
    assert (await build(build_args={"GREETING": "hi"}))[1]
    assert await build(build_args={"GREETING": "hi"}) == (images.find("app:v1").id, False)


async def test_a_failed_build_is_shown_once(images, context):
    (context / "Containerfile").write_text("FROM scratch\nCOPY missing /\n")
    said = []
    with pytest.raises(ImageError) as caught:
        await images.build(context, "app:v1", show=said.append)
    assert b"missing" in b"".join(said)
    assert "missing" not in caught.value.message
    with pytest.raises(ImageError, match="missing"):
        await images.build(context, "app:v1")


async def test_a_pull_that_fails_says_why_without_the_form_of_a_log(images):
    with pytest.raises(ImageError) as caught:
        await images.pull("127.0.0.1:1/app:v1")
    assert "connection refused" in caught.value.message
    assert "level=" not in caught.value.message


async def test_build_from_the_base_image_and_run_python_in_it(images, tmp_path):
    base = await base_image(images, CACHE)
    assert (base.layers[0] / "etc/passwd").exists()
    assert list(base.layers[0].glob("usr/lib/python3.11/__pycache__/argparse.*")), "byte code is compiled"
    context = tmp_path / "python"
    context.mkdir()
    (context / "Containerfile").write_text(
        'FROM localhost/debian-python:12\nRUN python3 -c "import json, ssl, asyncio" && echo ran > /ran\n'
    )
    built = await images.build(context, "python-app:v1")
    rootfs = Rootfs(tmp_path / "data")
    merged = await rootfs.mount("c1", built)
    assert (merged / "ran").read_text() == "ran\n"
    await rootfs.unmount("c1")


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive", "oci"])
async def test_archives_of_every_kind_are_loaded(images, context, tmp_path, kind):
    built = await images.build(context, "app:v1")
    target = tmp_path / "saved"
    with images.exported(built) as layout:
        subprocess.run(
            [
                "skopeo",
                "copy",
                "--insecure-policy",
                "-q",
                f"dir:{layout}",
                f"{kind}:{target}:docker.io/library/app:saved",
            ],
            check=True,
        )
    if kind == "docker-archive":
        subprocess.run(["gzip", target], check=True)
        target = target.with_suffix(".gz")
    other = Images(tmp_path / "other", clock=SystemClock())
    (loaded,) = await other.load(target, None)
    assert loaded.references == ("app:saved",)
    assert loaded.config == built.config
    assert [p.name for p in loaded.layers] == [p.name for p in built.layers]
    assert (loaded.layers[-1] / "etc/file").read_text() == "content"


async def test_pull_from_a_registry(images, context, tmp_path):
    built = await images.build(context, "app:v1")
    with registry(tmp_path) as address:
        with images.exported(built) as layout:
            subprocess.run(
                [
                    "skopeo",
                    "copy",
                    "--insecure-policy",
                    "-q",
                    "--dest-tls-verify=false",
                    f"dir:{layout}",
                    f"docker://{address}/team/app:v1",
                ],
                check=True,
            )
        fresh = Images(tmp_path / "fresh", clock=SystemClock())
        reference = f"{address}/team/app:v1"
        pulled = await asyncio.gather(*(fresh.resolve(reference) for _ in range(8)))
        assert {image.id for image in pulled} == {built.id}
        by_digest = await fresh.resolve(f"{address}/team/app@{pulled[0].digest}")
        assert by_digest.digest == pulled[0].digest
        with pytest.raises(ImageError, match="manifest unknown") as caught:
            await fresh.resolve(f"{address}/team/none:v1")
        assert caught.value.reason == "ErrImagePull"
    assert (await fresh.resolve(reference)).id == built.id
    with pytest.raises(ImageError):
        await fresh.resolve(reference, "Always")


class registry:  # noqa: N801
    """Debian's docker-registry on a free loopback port, its storage in a temporary directory."""

    def __init__(self, directory):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.config = directory / "registry.yml"
        self.config.write_text(
            "version: 0.1\nlog: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}\nhttp: {{addr: {self.address}}}\n"
        )

    def __enter__(self):
        self.process = subprocess.Popen(
            ["docker-registry", "serve", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        host, port = self.address.split(":")
        for _ in range(10_000):
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return self.address
            assert self.process.poll() is None, "the registry ended"
            os.sched_yield()
        raise AssertionError("the registry did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


async def test_a_failed_pull_says_once_what_failed(images):
    """Who shows it says which image was to be pulled: the event and `kubectl describe` as the kubelet does."""
    with pytest.raises(ImageError, match="connection refused") as caught:
        await images.pull("127.0.0.1:9/nowhere:1")
    assert "failed to pull" not in caught.value.message.lower()
    assert caught.value.message.count("connection refused") == 1


async def test_an_image_that_is_not_there(images):
    with pytest.raises(ImageError, match="grandstand image build") as caught:
        await images.resolve("nowhere:v1", "Never")
    assert caught.value.reason == "ErrImageNeverPull"


@pytest.mark.parametrize("damage", ["blob", "config", "diff_id"])
async def test_damaged_images_are_refused(images, context, tmp_path, damage):
    built = await images.build(context, "app:v1")
    layout = tmp_path / "layout"
    with images.exported(built) as exported:
        subprocess.run(
            ["skopeo", "copy", "--insecure-policy", "-q", f"dir:{exported}", f"oci:{layout}:docker.io/library/bad:v1"],
            check=True,
        )
    blobs = layout / "blobs/sha256"
    manifest = msgspec.json.decode(
        (blobs / msgspec.json.decode((layout / "index.json").read_bytes())["manifests"][0]["digest"][7:]).read_bytes()
    )
    victim = blobs / (manifest["layers"][0] if damage == "blob" else manifest["config"])["digest"][7:]
    data = victim.read_bytes()
    victim.write_bytes(
        data[:-1] + bytes((data[-1] ^ 1,)) if damage != "diff_id" else data.replace(b"sha256:", b"sha257:")
    )
    other = Images(tmp_path / "other", clock=SystemClock())
    with pytest.raises(ImageError):
        await other.load(layout)
    assert other.list() == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_bytes(b"no archive"), "no tar archive"),
        (lambda p: p.mkdir(), "no OCI layout"),
        (lambda p: subprocess.run(["tar", "-cf", p, "-C", "/etc", "hostname"], check=True), "neither"),
    ],
    ids=["noise", "empty directory", "other tar"],
)
async def test_what_is_no_image_is_refused(images, tmp_path, make, message):
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(ImageError, match=message):
        await images.load(path)


async def test_remove_drops_what_no_other_image_uses(images, context, tmp_path):
    first = await images.build(context, "app:v1", build_args={"GREETING": "a"})
    await images.build(context, "app:v2", build_args={"GREETING": "b"})
    rootfs = Rootfs(tmp_path / "data")
    merged = await rootfs.mount("c1", first)
    with pytest.raises(Conflict, match="in use"):
        await images.remove("app:v1")
    (context / "file").write_text("new content")
    await images.build(context, "app:v1", build_args={"GREETING": "c"})
    await images.remove("app:v2")
    assert (merged / "etc/file").read_text() == "content", "layers of a running container stay"
    await rootfs.unmount("c1")
    await images.build(context, "app:v2", build_args={"GREETING": "b"})
    await images.remove("app:v1")
    assert images.find("app:v1") is None
    shared = images.find("app:v2").layers[0]
    assert shared.exists(), "v2 shares the layer"
    await images.remove("app:v2")
    assert not shared.exists()
    assert not first.layers[0].exists()
    assert list((tmp_path / "data/images/blobs").iterdir()) == []
    with pytest.raises(NotFound):
        await images.remove("app:v2")


async def test_several_builds_may_run_at_once(images, context, tmp_path):
    others = [Images(tmp_path / "data", clock=SystemClock()) for _ in range(4)]
    await asyncio.gather(
        *(other.build(context, f"app:v{n}", build_args={"GREETING": str(n)}) for n, other in enumerate(others))
    )
    assert len(images.list()) == 4


async def test_a_container_writes_only_into_its_own_layer(images, context, tmp_path):
    built = await images.build(context, "app:v1")
    rootfs = Rootfs(tmp_path / "data")
    one, two = await rootfs.mount("one", built), await rootfs.mount("two", built)
    (one / "etc/file").write_text("changed")
    assert (two / "etc/file").read_text() == "content"
    assert rootfs.mounted() == ["one", "two"]
    for name in ("one", "two", "never"):
        await rootfs.unmount(name)
    assert rootfs.mounted() == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_many_layers_fit_into_one_mount(tmp_path):
    layers = []
    for number in range(120):
        layer = tmp_path / f"layer-with-quite-a-long-name-as-digests-have-them-{number:064}"
        layer.mkdir()
        (layer / f"file{number}").touch()
        layers.append(layer)
    upper, work, merged = (tmp_path / name for name in ("upper", "work", "merged"))
    for path in (upper, work, merged):
        path.mkdir()
    mount_overlay(layers, upper, work, merged)
    try:
        assert len(list(merged.iterdir())) == 120
    finally:
        subprocess.run(["umount", merged], check=True)


def test_a_file_system_that_cannot_carry_an_overlay_is_named(tmp_path):
    for name in ("layer", "upper", "work", "merged", "o-upper", "o-work", "over"):
        (tmp_path / name).mkdir()
    mount_overlay([tmp_path / "layer"], tmp_path / "o-upper", tmp_path / "o-work", tmp_path / "over")
    try:
        for name in ("upper", "work"):
            (tmp_path / "over" / name).mkdir()
        with pytest.raises(PlatformError, match="--data"):
            mount_overlay([tmp_path / "layer"], tmp_path / "over/upper", tmp_path / "over/work", tmp_path / "merged")
    finally:
        subprocess.run(["umount", tmp_path / "over"], check=True)
