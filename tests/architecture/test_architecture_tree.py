"""What is in the repository could lie on any machine: no path and no host of the one it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = "src/grandstand/api/data/"
"""Kubernetes' own descriptions, with their links."""
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-kubectl.lock")

PUBLIC_HOSTS = {"keepachangelog.com", "sts.amazonaws.com", "iam.amazonaws.com"}
"""The last two are names of XML namespaces: nobody is asked there."""
EXAMPLE_ENDINGS = (".localhost", ".example", ".example.com", ".example.org", ".svc", ".local", ".test")
URL = re.compile(r"https?://([A-Za-z0-9.-]+)")


def files() -> dict[str, str]:
    """Every text file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [path for path in listed.stdout.splitlines() if (ROOT / path).is_file() and not path.startswith(DATA)]
    return {path: (ROOT / path).read_text(errors="replace") for path in paths}


FILES = files()


def _anywhere(host: str) -> bool:
    """Whether a host is loopback, an example, a name without a domain, or public."""
    host = host.rstrip(".-")
    loopback = host in ("localhost", "") or host.startswith("127.")
    return loopback or "." not in host or host in PUBLIC_HOSTS or f".{host}".endswith(EXAMPLE_ENDINGS)


def test_no_host_of_a_registry_or_mirror():
    found = {(path, host) for path, text in FILES.items() for host in URL.findall(text) if not _anywhere(host)}
    assert found == set()


def test_locks_say_what_and_not_from_where():
    for lock in LOCKS:
        assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|://", FILES[lock]), lock
        assert "--hash=sha256:" in FILES[lock]


def test_no_path_of_this_checkout():
    assert len(ROOT.parts) > 2, "a checkout at the root of the file system cannot be told from common paths"
    assert [path for path, text in FILES.items() if f"{ROOT}/" in text or text.endswith(str(ROOT))] == []


def test_the_changelog_says_what_is_coming():
    headings = re.findall(r"^## (.+)$", FILES["CHANGELOG.md"], re.MULTILINE)
    assert "unreleased" in headings[0].lower()
