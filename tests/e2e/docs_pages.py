"""The examples of README and docs: find the shell blocks of a page, and make one script of them. Pure."""

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = {"sh", "text", "ini", ""}
"""`sh` runs; `text` below it is what it must print (`…` stands for anything); nothing else hides from the test."""

FENCE = re.compile(r"^```(\S*)\s*$")
NOT_RUN = re.compile(r"^<!-- not run: (.+) -->$")
FAILS = "<!-- fails -->"
BLOCK_MARK = "@@@ block of line"


@dataclass(frozen=True)
class Block:
    """A fenced block; `above` is the line before it, which may be a marker."""

    page: str
    line: int
    language: str
    above: str
    code: str

    @property
    def not_run(self) -> str | None:
        """Why it is not run by the test, where the page says so."""
        found = NOT_RUN.match(self.above)
        return found[1] if found else None

    @property
    def fails(self) -> bool:
        return self.above == FAILS

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that tells its reader to type something."""
    return [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    found: list[Block] = []
    language, start, above, code = None, 0, "", []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = FENCE.match(line.strip())
        if language is None and fence:
            language, start, code = fence[1], number, []
        elif language is not None and line.strip() == "```":
            found.append(Block(str(page.relative_to(ROOT)), start, language, above, "\n".join(code)))
            language, above = None, ""
        elif language is not None:
            code.append(line)
        elif line.strip():
            above = line.strip()
    assert language is None, f"{page}:{start}: the block does not end"
    return found


def script(blocks: list[Block], changes: list[tuple[str, str]], prelude: str) -> str:
    """One bash script of all blocks: what one of them sets or starts, the next ones have."""
    parts = ["set -euo pipefail", "exec 2>&1", prelude]
    for block in blocks:
        code = substituted(block.code, changes)
        if block.fails:
            code = f"if (\n{code}\n); then echo 'this was said to fail'; exit 1; fi"
        parts += [f"echo {shlex.quote(f'{BLOCK_MARK} {block.line}')}", code]
    return "\n".join(parts) + "\n"


def substituted(text: str, changes: list[tuple[str, str]]) -> str:
    for pattern, replacement in changes:
        text = re.sub(pattern, replacement, text)
    return text


def outputs(text: str) -> dict[int, str]:
    """What each block printed, by the block's line."""
    _, *pieces = text.split(f"{BLOCK_MARK} ")
    split = (piece.partition("\n") for piece in pieces)
    return {int(line): said for line, _, said in split}


def expectations(blocks: list[Block]) -> list[tuple[Block, Block]]:
    """Pairs of a shell block, and the `text` block right after it that says what it prints."""
    return [
        (block, after)
        for block, after in pairwise(blocks)
        if block.language == "sh" and after.language == "text" and not block.not_run
    ]


def missing_lines(expected: str, said: str) -> list[str]:
    """The expected lines that were not printed, in this order; spaces count as one, `…` as anything."""
    left = iter(" ".join(line.split()) for line in said.splitlines())
    return [wanted for wanted in expected.splitlines() if wanted.strip() and not _found(wanted, left)]


def _found(wanted: str, left) -> bool:
    pattern = ".*".join(re.escape(part) for part in " ".join(wanted.split()).split("…"))
    return any(re.fullmatch(pattern, line) for line in left)
