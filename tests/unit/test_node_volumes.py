from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from grandstand.kinds import Object, Pod, view
from grandstand.node.environment import MissingSource, Sources
from grandstand.node.fields import Place
from grandstand.node.volumes import (
    BadHostPath,
    BadSubPath,
    EmptyDir,
    File,
    Generated,
    HostPath,
    PodVolumes,
    Source,
    Unsupported,
    mounts_below,
    referenced,
    remove_directory,
    source_of,
)
from grandstand.node.volumes.atomic import write_files
from grandstand.node.volumes.host_paths import prepare_host_path
from grandstand.node.volumes.sub_paths import mount_sub_path

PLACE = Place("node", "h", "p", 1, 1)
SOURCES = Sources(
    {"c": {"data": {"a": "1"}, "binaryData": {"b": "AAE="}}, "gone": None}, {"s": {"data": {"k": "djE="}}, "gone": None}
)


def pod(**spec: Any) -> Pod:
    meta = {"name": "web", "namespace": "n", "uid": "u", "labels": {"a": "b"}}
    return view(Pod, {"metadata": meta, "spec": {"containers": [{"name": "app"}], **spec}})


def planned(volume: Object) -> Source:
    return source_of({"name": "v", **volume}, pod(), SOURCES, PLACE)


FIELD = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}


@pytest.mark.parametrize(
    ("volume", "source"),
    [
        ({"emptyDir": {}}, EmptyDir()),
        ({}, EmptyDir()),
        ({"emptyDir": {"medium": "Memory", "sizeLimit": "1Ki"}}, EmptyDir(True, 1024)),
        ({"hostPath": {"path": "/x", "type": "File"}}, HostPath(Path("/x"), "File")),
        ({"configMap": {"name": "c"}}, Generated({"a": File(b"1"), "b": File(b"\0\1")})),
        (
            {"configMap": {"name": "c", "defaultMode": 0o600, "items": [{"key": "a", "path": "x/y", "mode": 0o400}]}},
            Generated({"x/y": File(b"1", 0o400)}),
        ),
        ({"secret": {"secretName": "s", "defaultMode": 0o440}}, Generated({"k": File(b"v1", 0o440)}, in_memory=True)),
        ({"secret": {"secretName": "gone", "optional": True}}, Generated({}, in_memory=True)),
        ({"downwardAPI": {"items": [FIELD]}}, Generated({"labels": File(b'a="b"')})),
        (
            {"projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}},
            Generated({"a": File(b"1"), "b": File(b"\0\1"), "k": File(b"v1")}, in_memory=True),
        ),
    ],
    ids=[
        "empty",
        "nothing said",
        "memory",
        "host",
        "config map",
        "items",
        "secret",
        "optional",
        "downward",
        "projected",
    ],
)
def test_what_a_volume_is_made_of(volume: Object, source: Source) -> None:
    assert planned(volume) == source


@pytest.mark.parametrize(
    ("volume", "error", "message"),
    [
        ({"configMap": {"name": "gone"}}, MissingSource, 'configmap "gone" not found'),
        (
            {"secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}},
            MissingSource,
            "non-existent secret key: x",
        ),
        ({"nfs": {"server": "x"}}, Unsupported, "nfs is not supported; this node has emptyDir"),
        ({"persistentVolumeClaim": {"claimName": "x"}}, Unsupported, "persistentVolumeClaim is not supported"),
        ({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}, Unsupported, "serviceAccountToken"),
        ({"emptyDir": {"medium": "HugePages"}}, Unsupported, "medium HugePages"),
        ({"configMap": {"name": "c", "items": [{"key": "a", "path": "../a"}]}}, Unsupported, "must be relative"),
        ({"configMap": {"name": "c", "items": [{"key": "a", "path": "/a"}]}}, Unsupported, "must be relative"),
    ],
    ids=["missing", "missing key", "nfs", "claim", "token", "medium", "dots", "absolute"],
)
def test_what_cannot_be_made(volume: Object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        planned(volume)


def test_what_volumes_refer_to() -> None:
    volumes = [
        {"name": "1", "configMap": {"name": "a"}},
        {"name": "2", "secret": {"secretName": "b"}},
        {"name": "3", "projected": {"sources": [{"secret": {"name": "c"}}, {"configMap": {"name": "d"}}]}},
    ]
    assert referenced(volumes) == ({"a", "d"}, {"b", "c"})


def test_files_are_replaced_all_at_once(tmp_path: Path) -> None:
    assert write_files(tmp_path, {"a": File(b"1"), "deep/b": File(b"2", 0o400)}, None)
    before = os.open(tmp_path / "..data", os.O_RDONLY)
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "deep" / "b").stat().st_mode & 0o777 == 0o400
    assert not write_files(tmp_path, {"a": File(b"1"), "deep/b": File(b"2", 0o400)}, None)
    assert write_files(tmp_path, {"a": File(b"9"), "c": File(b"3")}, None)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["a", "c"]
    assert (tmp_path / "a").read_bytes() == b"9"
    assert sum(path.name.startswith("..") for path in tmp_path.iterdir()) == 2, "the old version is gone"
    os.close(before)


def test_a_group_may_read_what_is_made_for_it(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": File(b"1", 0o400)}, 4242)
    assert ((tmp_path / "a").stat().st_gid, (tmp_path / "a").stat().st_mode & 0o777) == (4242, 0o440)


@pytest.mark.parametrize("link", ["/", "..", "../..", "/proc/self/root"])
def test_links_out_of_a_volume_are_not_followed(tmp_path: Path, link: str) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "out").symlink_to(link)
    for path in ("out", "out/etc", "out/new"):
        with pytest.raises(BadSubPath):
            mount_sub_path(volume, path, tmp_path / "target")
    assert not mounts_below(tmp_path)
    assert [entry.name for entry in volume.iterdir()] == ["out"]


@pytest.mark.parametrize("path", ["../x", "/etc", "a/../../b"])
def test_sub_paths_that_lead_out_by_themselves(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadSubPath, match="must be relative"):
        mount_sub_path(tmp_path, path, tmp_path / "target")


def test_a_link_inside_a_volume_is_followed_and_later_links_change_nothing(tmp_path: Path) -> None:
    volume, target = tmp_path / "volume", tmp_path / "target"
    (volume / "real").mkdir(parents=True)
    (volume / "real" / "file").write_text("x")
    (volume / "link").symlink_to("real")
    mount_sub_path(volume, "link", target)
    (volume / "link").unlink()
    (volume / "link").symlink_to("/etc")
    assert [entry.name for entry in target.iterdir()] == ["file"]
    remove_directory(tmp_path)
    assert not mounts_below(tmp_path)


@pytest.mark.parametrize(
    ("kind", "exists_as", "good"),
    [
        ("", None, True), ("", "file", True), ("Directory", "directory", True), ("Directory", "file", False),
        ("Directory", None, False), ("DirectoryOrCreate", None, True), ("File", "file", True), ("File", None, False),
        ("FileOrCreate", None, True), ("FileOrCreate", "directory", False), ("Socket", "file", False),
        ("Folder", "directory", False),
    ],
)  # fmt: skip
def test_host_path_types(tmp_path: Path, kind: str, exists_as: str | None, good: bool) -> None:
    path = tmp_path / "path"
    if exists_as == "file":
        path.touch()
    elif exists_as == "directory":
        path.mkdir()
    if good:
        prepare_host_path(HostPath(path, kind))
        assert path.exists()
    else:
        with pytest.raises(BadHostPath, match="hostPath type"):
            prepare_host_path(HostPath(path, kind))


def test_removal_unmounts_first_and_never_reaches_through_a_mount(tmp_path: Path) -> None:
    host, directory = tmp_path / "host", tmp_path / "pod"
    host.mkdir()
    (host / "precious").touch()
    volumes = PodVolumes(directory)
    sources: dict[str, Source] = {"m": EmptyDir(True, 1 << 20), "h": HostPath(host)}
    mounted = pod(
        containers=[{"name": "app", "volumeMounts": [{"name": "h", "mountPath": "/h", "subPath": "in"}]}],
        volumes=[{"name": "m", "emptyDir": {"medium": "Memory"}}, {"name": "h", "hostPath": {"path": str(host)}}],
    )
    volumes.prepare(mounted, sources)
    volumes.mounts_of(mounted, mounted.spec.containers[0], sources, lambda text: text)
    assert len(mounts_below(directory)) == 2
    remove_directory(directory)
    assert not directory.exists()
    assert sorted(entry.name for entry in host.iterdir()) == ["in", "precious"]
