"""What a kubeconfig gives, and what it is refused for."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from grandstand.client.kubeconfig import Connection, load
from grandstand.errors import BadRequest


def written(directory: Path, cluster: dict[str, Any], user: dict[str, Any], **context: str) -> Path:
    path = directory / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [
            {"name": "elsewhere", "context": {"cluster": "no such", "user": "me"}},
            {"name": "here", "context": {"cluster": "mine", "user": "me", **context}},
            {"name": "nobody", "context": {"cluster": "mine"}},
        ],
        "clusters": [{"name": "mine", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


SERVER = {"server": "https://127.0.0.1:6443"}


def data(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("cluster", "user", "context", "wanted"),
    [
        ({}, {"token": "t"}, {}, {"token": "t"}),
        ({}, {"tokenFile": "token"}, {}, {"token": "from a file"}),
        ({}, {"token": "t", "tokenFile": "missing"}, {}, {"token": "t"}),
        ({}, {"username": "u", "password": "p"}, {}, {"user": "u", "password": "p"}),
        ({"certificate-authority-data": data("CA")}, {}, {}, {"authority": "CA"}),
        ({"certificate-authority": "ca.pem"}, {}, {}, {"authority": "CA of a file"}),
        (
            {"certificate-authority-data": data("CA"), "certificate-authority": "ca.pem"},
            {},
            {},
            {"authority": "CA"},
        ),
        (
            {},
            {"client-certificate-data": data("C"), "client-key-data": data("K")},
            {},
            {"certificate": "C", "key": "K"},
        ),
        ({"insecure-skip-tls-verify": True}, {}, {}, {"insecure": True}),
        ({"tls-server-name": "api", "proxy-url": "http://p"}, {}, {}, {"server_name": "api", "proxy": "http://p"}),
        ({}, {}, {"namespace": "shop"}, {"namespace": "shop"}),
        ({"server": "https://rancher/k8s/clusters/c-1/"}, {}, {}, {"server": "https://rancher/k8s/clusters/c-1"}),
    ],
    ids=[
        "token",
        "token file",
        "token wins",
        "password",
        "authority",
        "authority file",
        "data wins",
        "client certificate",
        "insecure",
        "name and proxy",
        "namespace",
        "path",
    ],
)
def test_connection(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], context: dict[str, str], wanted: dict[str, Any]
) -> None:
    (tmp_path / "token").write_text("from a file\n")
    (tmp_path / "ca.pem").write_text("CA of a file")
    found = load(written(tmp_path, SERVER | cluster, user, **context))
    assert found == Connection(**{"server": SERVER["server"], **wanted})


def test_another_context(tmp_path: Path) -> None:
    path = written(tmp_path, SERVER, {"token": "t"})
    assert load(path, "nobody").token is None


@pytest.mark.parametrize(
    ("cluster", "user", "context", "message"),
    [
        ({}, {"exec": {"command": "aws"}}, None, "authenticates by exec"),
        ({}, {"as": "somebody"}, None, "authenticates by as"),
        ({}, {"tokenFile": "missing"}, None, "cannot read the tokenFile"),
        ({"certificate-authority-data": "%%%"}, {}, None, "not base64"),
        ({"server": "127.0.0.1"}, {}, None, "no https:// server"),
        ({}, {}, "unknown", "no context 'unknown': it has elsewhere, here, nobody"),
        ({}, {}, "elsewhere", "no cluster 'no such': it has mine"),
    ],
    ids=["exec", "impersonation", "token file", "base64", "server", "context", "cluster"],
)
def test_refused(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], context: str | None, message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        load(written(tmp_path, SERVER | cluster, user), context)


@pytest.mark.parametrize("content", [None, "", "- a\n", "a: [", "{}"], ids=["missing", "empty", "list", "yaml", "bare"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadRequest, match="kubeconfig"):
        load(path)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    shown = repr(
        load(written(tmp_path, SERVER, {"token": "hush", "password": "hush", "client-key-data": data("hush")}))
    )
    assert "hush" not in shown
