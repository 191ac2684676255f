"""The pages say what is so: links lead somewhere, and numbers are those of the code."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| .+ \| ([\d,]+)(?: (\S+))? \| `(grandstand\.[\w.]+)\.(\w+)` \|$", re.MULTILINE)
UNITS = {None: 1, "KiB": 2**10, "MiB": 2**20, "s": 1, "min": 60, "h": 3600}
MADE_LATER = {"results.md"}
"""`make bench` writes it."""

ROWS = ROW.findall((ROOT / "docs/limits.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page):
    targets = [target for target in LINK.findall(CODE.sub("", page.read_text())) if "://" not in target]
    paths = {target: page.parent / target.partition("#")[0] for target in targets if not target.startswith("#")}
    lost = [target for target, path in paths.items() if not path.exists() and path.name not in MADE_LATER]
    assert lost == []


def test_every_page_is_in_an_index():
    index = "".join((ROOT / name).read_text() for name in ("docs/README.md", "docs/decisions/README.md"))
    lost = [page.name for page in ROOT.glob("docs/**/*.md") if page.name != "README.md" and page.name not in index]
    assert lost == []


@pytest.mark.parametrize(("number", "unit", "module", "name"), ROWS, ids=[name for *_, name in ROWS])
def test_limits_are_those_of_the_code(number, unit, module, name):
    assert getattr(importlib.import_module(module), name) == int(number.replace(",", "")) * UNITS[unit or None]


def test_every_row_of_the_limits_is_compared():
    assert len(ROWS) == (ROOT / "docs/limits.md").read_text().count("| `grandstand.")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_systemd_unit_is_one(tmp_path):
    page = (ROOT / "docs/how-to/run-as-a-systemd-service.md").read_text()
    unit = tmp_path / "grandstand.service"
    unit.write_text(
        page.split("```ini\n")[1].split("```")[0].replace("/opt/grandstand/.venv/bin/grandstand", "/bin/true")
    )
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "grandstand" in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr
    assert "KillMode=process" in unit.read_text()
