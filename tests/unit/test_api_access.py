"""Tokens, private files and certificates."""

from __future__ import annotations

import stat

import pytest

from grandstand.api.certificates import Certificates, renew
from grandstand.api.reviews import User
from grandstand.api.tokens import ADMIN, Tokens
from grandstand.errors import PlatformError, Unauthorized
from grandstand.private_files import write_private

DAY = 86400.0
NOW = 1_764_504_000.0
NAMES = ["localhost", "127.0.0.1"]


def test_tokens_come_back_from_their_file(tmp_path):
    tokens = Tokens([])
    tokens.add("secret", ADMIN)
    tokens.add("other", User("viewer", ("people",)))
    tokens.write(tmp_path / "tokens.json")
    read = Tokens.read(tmp_path / "tokens.json")
    assert read.holder("Bearer secret") == ADMIN
    assert read.holder("bearer other") == User("viewer", ("people",))
    assert b"secret" not in (tmp_path / "tokens.json").read_bytes()


def test_a_new_token_replaces_the_old_one():
    tokens = Tokens([])
    tokens.add("old", ADMIN)
    tokens.add("new", ADMIN)
    assert tokens.holder("Bearer new") == ADMIN
    with pytest.raises(Unauthorized):
        tokens.holder("Bearer old")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic secret", "secret", "Bearer secret2"])
def test_headers_that_let_nobody_in(header):
    tokens = Tokens([])
    tokens.add("secret", ADMIN)
    with pytest.raises(Unauthorized):
        tokens.holder(header)


def test_a_damaged_file_says_what_to_do(tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text("{")
    with pytest.raises(PlatformError, match=r"Delete it"):
        Tokens.read(path)


def test_a_private_file_replaces_a_link_without_following_it(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "secret"
    victim.write_text("untouched")
    path.symlink_to(victim)
    (tmp_path / ".secret.new").symlink_to(victim)
    write_private(path, b"content")
    assert (victim.read_text(), path.read_bytes(), path.is_symlink()) == ("untouched", b"content", False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret", "victim"]


@pytest.fixture
def certificates(tmp_path):
    found = Certificates(tmp_path / "pki")
    renew(found, NAMES, NOW)
    return found


@pytest.mark.parametrize(
    ("names", "days", "due"),
    [
        (NAMES, 0, False),
        (NAMES, 59, False),
        (NAMES, 61, True),
        (NAMES, 100, True),
        (["localhost"], 0, True),
    ],
    ids=["new", "two thirds", "last third", "ended", "other names"],
)
def test_when_renewal_is_due(certificates, names, days, due):
    assert certificates.due(names, NOW + days * DAY) is due


def test_a_missing_file_makes_it_due(certificates):
    certificates.server.unlink()
    assert certificates.due(NAMES, NOW)


def test_renewal_keeps_the_authority_until_its_own_end(certificates):
    authority, key = certificates.authority.read_bytes(), certificates.authority_key.read_bytes()
    server = certificates.server.read_bytes()
    renew(certificates, NAMES, NOW + 61 * DAY)
    assert certificates.authority.read_bytes() == authority
    assert certificates.server.read_bytes() != server
    renew(certificates, NAMES, NOW + 3000 * DAY)
    assert certificates.authority.read_bytes() != authority
    assert certificates.authority_key.read_bytes() == key


def test_a_server_certificate_never_outlives_its_authority(certificates):
    issued = certificates.read()
    assert issued is not None
    renew(certificates, NAMES, issued.authority_ends - 1300 * DAY)
    again = certificates.read()
    assert again is not None
    assert again.server_ends <= again.authority_ends
