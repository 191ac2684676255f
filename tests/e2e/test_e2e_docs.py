"""Every example of README, tutorial and how-tos runs, and prints what the page says."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import PROGRAMS
from docs_pages import (
    LANGUAGES,
    ROOT,
    Block,
    blocks_of,
    expectations,
    missing_lines,
    outputs,
    pages,
    script,
    substituted,
)

from grandstand.engine import engine_id

MOST_NOT_RUN = 8
PAGES = pages()
SET_UP_BY_THEMSELVES = {"README.md", "tutorial.md"}
"""These say how PATH and KUBECONFIG are set; the how-tos take both for granted."""

SECOND_DATA = "/var/lib/grandstand-staging"


def test_every_block_is_run_printed_text_or_marked():
    strange = [
        f"{block}: {block.language!r}" for page in PAGES for block in blocks_of(page) if block.language not in LANGUAGES
    ]
    assert strange == [], f"write `sh` (it is run), `text` (it is compared) or one of {sorted(LANGUAGES)}"


def test_few_blocks_are_not_run():
    found = [f"{block}: {block.not_run}" for page in PAGES for block in blocks_of(page) if block.not_run]
    print("\n".join(("not run:", *found)))
    assert len(found) <= MOST_NOT_RUN, "\n".join(found)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_page(page, engine, clone, other_data):
    if page.name == "README.md":
        apply_samples(engine)
    blocks = blocks_of(page)
    shell = [block for block in blocks if block.language == "sh" and not block.not_run]
    changed = changes(engine, other_data)
    said = run_script(script(shell, changed, prelude(page, engine)), clone, engine)
    printed = outputs(said)
    assert sorted(printed) == [block.line for block in shell], f"{page} ended early:\n{said}"
    for block, expected in expectations(blocks):
        missing = missing_lines(substituted(expected.code, changed), printed[block.line])
        assert missing == [], f"{expected}: {missing} is not what was printed:\n{printed[block.line]}"
    for block in shell:
        check_load(block, printed[block.line])


def apply_samples(engine):
    """What `make run` has done before its reader goes on."""
    engine.grandstand("apply", "-f", ROOT / "examples/01-payment-service/manifests")
    engine.kubectl("rollout", "status", "deployment/payment-service", "--timeout=60s")


def check_load(block: Block, said: str):
    """Where a page puts load on a service, nothing may fail."""
    if "hey " not in block.code:
        return
    statuses = re.findall(r"^\s*\[(\d+)\]\t", said, re.MULTILINE)
    assert statuses == ["200"], f"{block}: hey was answered {statuses}:\n{said}"
    assert "Error distribution" not in said, f"{block}:\n{said}"


def run_script(text: str, clone: Path, engine) -> str:
    environment = {
        **os.environ,
        "GRANDSTAND_DATA": str(engine.data),
        "GRANDSTAND_DOCS_PREFIX": f"gs-{engine_id(engine.data)}",
    }
    environment.pop("KUBECONFIG", None)
    process = subprocess.Popen(
        ["bash"],
        cwd=clone,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(text, timeout=150)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        said, _ = process.communicate()
        pytest.fail(f"the page does not come to its end:\n{said}")
    assert process.returncode == 0, f"exit code {process.returncode}:\n{said}"
    return said


def changes(engine, other_data: Path) -> list[tuple[str, str]]:
    """What differs between a reader's machine and the test's: ports, directories, how long load and watches last."""
    tls_port = engine.gateway_tls.rsplit(":", 1)[1]
    second_ports = [str(port) for port in free_ports(4)]
    return [
        (r":8080\b", f":{engine.gateway_port}"),
        (r"(?<=[a-z]):8443\b", f":{tls_port}"),
        (r"\b7443\b", second_ports[0]),
        (r"\b8081\b", second_ports[1]),
        (r"\b8444\b", second_ports[2]),
        (r"\b5000\b", second_ports[3]),
        (re.escape(SECOND_DATA), str(other_data)),
        (r"/var/lib/grandstand\b", str(engine.data)),
        (r"hey -z \d+s -c \d+", "hey -z 4s -c 4 -q 50"),
        (r"(?m)^(kubectl [^#\n]* --watch\b)", r"timeout 2 \1 || [ $? = 124 ]"),
    ]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def prelude(page: Path, engine) -> str:
    """Programs as a page's reader has them. Processes are those of the test's engine only: others may run beside it."""
    lines = [
        "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT",
        """pgrep() { local pid; for pid in $(command pgrep "$@"); do"""
        """ grep -qs "$GRANDSTAND_DOCS_PREFIX/" "/proc/$pid/cgroup" && echo "$pid"; done; }""",
        'curl() { command curl --silent --show-error --fail-with-body --max-time 20 "$@"; }',
    ]
    if page.name not in SET_UP_BY_THEMSELVES:
        lines.append(f'export PATH="{PROGRAMS}:$PATH" KUBECONFIG="{engine.kubeconfig}"')
    return "\n".join(lines)


@pytest.fixture
def clone(engine, tmp_path):
    """A clone of the repository to work in; afterwards the engine is as it was, whatever the page did to it."""
    for entry in ROOT.iterdir():
        if entry.name != ".git":
            (tmp_path / entry.name).symlink_to(entry)
    yield tmp_path
    if engine.grandstand("status", check=False).returncode == 3:
        engine.start()
    engine.kubectl("delete", "deployments,ingresses,secrets", "--all", "-n", "default", "--wait=false")
    engine.kubectl(
        "delete",
        "services,configmaps",
        "--field-selector",
        "metadata.name!=kubernetes,metadata.name!=kube-root-ca.crt",
        "-n",
        "default",
        "--wait=false",
    )
    engine.kubectl("delete", "pods", "--all", "-n", "default", "--timeout=60s")
