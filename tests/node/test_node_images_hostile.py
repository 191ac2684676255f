"""Images that were made to do harm are refused with a reason, and leave nothing behind. Needs root and skopeo."""

import gzip
import hashlib
import io
import tarfile

import msgspec
import pytest

from grandstand.clock import SystemClock
from grandstand.node.images import ImageError, Images, UnsafeLayer
from grandstand.node.images.unpack import unpack_layer

ROOM = 1 << 30


def tar_of(*members: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def member(name="file", **fields) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def endless_header(kind: bytes) -> bytes:
    """A header that announces a terabyte of name or attributes."""
    made = member(type=kind, size=1 << 40)
    return made.tobuf(tarfile.GNU_FORMAT)


def sparse_terabyte() -> bytes:
    """GNU's old sparse format: a file of a terabyte, of which the archive holds nothing."""
    header = bytearray(member(type=tarfile.GNUTYPE_SPARSE, size=0).tobuf(tarfile.GNU_FORMAT))
    header[386:398] = header[398:410] = b"%011o\0" % 0
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header) + bytes(1024)


def of_gzip(data: bytes) -> bytes:
    """A gzip stream whose middle is noise."""
    whole = bytearray(gzip.compress(data))
    whole[12:40] = b"\xff" * 28
    return bytes(whole)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tar_of(*(member(f"f{number}", size=100) for number in range(20))), "room"),
        (sparse_terabyte(), "room"),
        (endless_header(tarfile.XHDTYPE), "header"),
        (endless_header(tarfile.XGLTYPE), "header"),
        (endless_header(tarfile.GNUTYPE_LONGNAME), "header"),
        (endless_header(tarfile.GNUTYPE_LONGLINK), "header"),
        (tar_of(member("d/" * 1500 + "f")), "steps"),
        (tar_of(member(pax_headers={"uid": "-5"})), "makes no sense"),
        (tar_of(member(pax_headers={"mtime": "1e300"})), "makes no sense"),
    ],
    ids=[
        "more than the disk has", "sparse terabyte", "endless attributes", "endless global attributes", "endless name",
        "endless link", "deep path", "negative owner", "time without end",
    ],
)  # fmt: skip
def test_layers_that_would_use_up_the_machine(tmp_path, data, message):
    with pytest.raises(UnsafeLayer, match=message):
        unpack_layer(io.BytesIO(data), tmp_path, 1000)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layout_of(directory, layers, config, diff_ids=None):
    """An OCI layout with these layers (already compressed or not) and this configuration."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data, kind):
        (blobs / hashlib.sha256(data).hexdigest()).write_bytes(data)
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    kind = "application/vnd.oci.image.layer.v1.tar"
    listed = [blob(data, f"{kind}+gzip" if data.startswith(b"\x1f\x8b") else kind) for data in layers]
    if not isinstance(config, bytes):
        found = [digest_of(data) for data in layers] if diff_ids is None else diff_ids
        config = msgspec.json.encode({"rootfs": {"type": "layers", "diff_ids": found}, **config})
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(config, "application/vnd.oci.image.config.v1+json"),
        "layers": listed,
    }
    written = blob(msgspec.json.encode(manifest), manifest["mediaType"])
    written["annotations"] = {"org.opencontainers.image.ref.name": "docker.io/library/bad:v1"}
    (directory / "index.json").write_bytes(msgspec.json.encode({"schemaVersion": 2, "manifests": [written]}))
    (directory / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')


GOOD = tar_of(member())
DEEP = b'{"config":' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@pytest.mark.parametrize(
    ("layers", "config", "message"),
    [
        ([tar_of(member(f"f{number}")) for number in range(450)], {}, "layers"),
        ([GOOD], {"config": {"Entrypoint": "/bin/sh"}}, "configuration"),
        ([GOOD], {"config": {"Env": [1, 2]}}, "configuration"),
        ([GOOD], {"config": {"Labels": ["x"]}}, "configuration"),
        ([GOOD], b"null", "configuration"),
        ([GOOD], DEEP, "configuration"),
        ([GOOD], {"rootfs": {"diff_ids": ["sha256:../../../../etc"]}}, "digest"),
        ([GOOD], {"rootfs": {"diff_ids": []}}, "layers"),
        ([GOOD], {"rootfs": {"diff_ids": 7}}, "configuration"),
        ([b"no archive at all" * 100], {}, "unpacked"),
        ([of_gzip(GOOD * 50)], {}, "unpacked|damaged"),
    ],
    ids=[
        "450 layers", "entrypoint is text", "environment of numbers", "labels in a list", "null", "deep",
        "diff id with a path", "no diff ids", "diff ids of no type", "no archive", "broken gzip",
    ],
)  # fmt: skip
async def test_images_that_are_none_leave_nothing(tmp_path, layers, config, message):
    layout_of(tmp_path / "layout", layers, config)
    images = Images(tmp_path / "data", clock=SystemClock())
    with pytest.raises(ImageError, match=message):
        await images.load(tmp_path / "layout", "bad:v1")
    assert images.list() == []
    assert [path.name for path in (tmp_path / "data/images").glob("*/*")] == []


async def test_an_honest_image_made_in_the_same_way_is_taken(tmp_path):
    layout_of(tmp_path / "layout", [GOOD], {"config": {"Entrypoint": ["/bin/sh"], "Env": ["A=1", "B"]}})
    (loaded,) = await Images(tmp_path / "data", clock=SystemClock()).load(tmp_path / "layout", "good:v1")
    assert loaded.config.entrypoint == ("/bin/sh",)
    assert [layer.is_dir() for layer in loaded.layers] == [True]


@pytest.mark.parametrize(
    "text",
    [b"[]", b'{"manifests": 5}', b'{"manifests": [7]}', b'{"manifests": [{"annotations": [1]}]}', b"[" * 100_000],
    ids=["list", "number", "entry", "annotations", "deep"],
)
async def test_an_index_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout/index.json").write_bytes(text)
    with pytest.raises(ImageError, match="valid"):
        await Images(tmp_path / "data", clock=SystemClock()).load(tmp_path / "layout")
