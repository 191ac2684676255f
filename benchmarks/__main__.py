"""Run the benchmarks that are named, or all, and keep what they showed: `python -m benchmarks [NAME…]`."""

from __future__ import annotations

import asyncio
import importlib
import os
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import uvloop
from rich import box
from rich.console import Console
from rich.table import Table as Picture

HERE = Path(__file__).parent
RESULTS = HERE / "results.md"
sys.path.insert(0, str(HERE))  # each benchmark can be run alone too, and imports its neighbours by their names

from table import Table  # noqa: E402


def benchmarks() -> dict[str, ModuleType]:
    """The modules of this folder that measure something, by name."""
    names = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    modules = {name: importlib.import_module(name) for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "rows")}


def measure(module: ModuleType) -> Table:
    """What a benchmark shows. One that gives pairs instead of a table is named by its docstring."""
    found: Any = module.rows()
    if asyncio.iscoroutine(found):
        found = uvloop.run(found)
    if isinstance(found, Table):
        return found
    title = (module.__doc__ or module.__name__).splitlines()[0].rstrip(".")
    return Table(title, ("what", "figure"), tuple(tuple(row) for row in found))


def picture(table: Table) -> Picture:
    shown = Picture(title=table.title, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    for number, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    shown.caption = "\n".join(table.notes) or None
    return shown


def machine() -> str:
    """Where and when: a figure means nothing without it."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    python = f"Python {platform.python_version()}"
    cores = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    return f"{when}: {cores}, {pages / 2**30:.0f} GiB, Linux {platform.release()}, {python}."


def report(tables: Iterable[Table]) -> str:
    head = (
        "# What was measured\n\n"
        "Written by `make bench`. Every figure stands beside its peer of the same run: compare within a table, not "
        "between machines.\n"
    )
    return "\n".join([head, machine(), "", *(table.markdown() for table in tables)])


def main() -> None:
    console = Console()
    available = benchmarks()
    wanted = sys.argv[1:] or list(available)
    unknown = [name for name in wanted if name not in available]
    if unknown:
        raise SystemExit(f"error: there is no benchmark {', '.join(unknown)}: there are {', '.join(available)}")
    tables = []
    for number, name in enumerate(wanted, 1):
        with console.status(f"{name} ({number} of {len(wanted)})"):
            tables.append(measure(available[name]))
        console.print(picture(tables[-1]))
    if wanted == list(available):
        RESULTS.write_text(report(tables))
        console.print(
            f"Written to {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}"
        )
    else:
        console.print("Not written to results.md: that takes all benchmarks.")


if __name__ == "__main__":
    main()
