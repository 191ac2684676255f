"""`grandstand bill`: what functions did in a month, and what it would cost on AWS."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from grandstand import engine as engines
from grandstand.clock import SystemClock, rfc3339
from grandstand.errors import BadRequest, NotFound, PeerError
from grandstand.functions.metering import Figures, figures
from grandstand.functions.metering.bill import Bill, billed, gb_seconds
from grandstand.functions.metering.price_list import Prices, prices_for

from . import lock
from .options import data_option, option, output_option

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@click.command()
@data_option
@option("--month", metavar="YYYY-MM", help="The month, in UTC [default: this one].")
@output_option("json", "table")
def bill(data: Path, month: str | None, output: str | None) -> None:
    """Say what functions did in a month, and what the same costs on AWS Lambda. The engine need not run.

    Deleted functions stay in it. Prices are those of us-east-1, without taxes, storage beyond 512 MB and traffic.
    """
    now = SystemClock().now()
    month = rfc3339(now)[:7] if month is None else month
    if not _MONTH.fullmatch(month):
        raise BadRequest(f"--month {month!r} is no month: write year and month, e.g. 2026-11.")
    try:
        if engines.load(data) is None:
            raise NotFound(f"There is no engine in {data}: start one with `grandstand up --data {data}`.")
        found = figures(data, month)
        newest = now if lock.owner(data) is not None else found.newest
    except PermissionError as error:
        raise PeerError(f"{error.filename} is read by root only. Run `grandstand bill` with sudo.") from error
    prices = prices_for(month)
    made = billed(found.usage, prices)
    as_of = None if newest is None else rfc3339(newest)
    if output == "json":
        click.echo(json.dumps(_for_programs(month, as_of, found, made, prices), indent=2))
    else:
        click.echo(_for_people(month, as_of, made, prices))


def _for_programs(month: str, as_of: str | None, found: Figures, made: Bill, prices: Prices) -> dict[str, Any]:
    """Money as text, so that no digit is lost."""
    return {
        "month": month,
        "figuresOf": as_of,
        "prices": {"validFrom": prices.valid_from, "region": prices.region, "source": prices.source},
        "functions": [
            {
                "function": line.function,
                "architecture": line.architecture,
                "requests": line.counts.requests,
                "billedMilliseconds": line.counts.billed_ms,
                "gbSeconds": float(line.gb_seconds),
                "listPriceUSD": f"{line.list_price:.10f}",
            }
            for line in made.lines
        ],
        "days": [
            {
                "day": each.day,
                "function": each.metered.function,
                "version": each.metered.version,
                "architecture": each.metered.architecture,
                "requests": each.counts.requests,
                "billedMilliseconds": each.counts.billed_ms,
                "gbSeconds": float(gb_seconds(each.counts)),
            }
            for each in found.usage
        ],
        "requests": made.counts.requests,
        "gbSeconds": float(made.gb_seconds),
        "free": {"requests": prices.free_requests, "gbSeconds": prices.free_gb_seconds},
        "listPriceUSD": f"{made.list_price:.10f}",
        "freeTierUSD": f"{made.free:.10f}",
        "totalUSD": f"{made.total:.2f}",
    }


def _for_people(month: str, as_of: str | None, made: Bill, prices: Prices) -> str:
    head = ("FUNCTION", "ARCHITECTURE", "REQUESTS", "GB-SECONDS", "USD")
    rows = [
        (
            *(line.function, line.architecture, f"{line.counts.requests:,}"),
            *(f"{line.gb_seconds:,.3f}", _money(line.list_price)),
        )
        for line in made.lines
    ]
    free = f"free tier ({prices.free_requests:,} requests, {prices.free_gb_seconds:,} GB-seconds)"
    state = "nothing was counted yet" if as_of is None else f"figures of {as_of}"
    table = _aligned([head, *rows]) if rows else ["No function was invoked."]
    return "\n".join(
        (
            f"AWS Lambda, {month}; {state}; prices of {prices.valid_from}, {prices.region}",
            "",
            *table,
            "",
            f"  {made.counts.requests:,} requests, {made.gb_seconds:,.3f} GB-seconds: USD {_money(made.list_price)}",
            f"  {free}: USD -{_money(made.free)}",
            f"  total: USD {made.total:,.2f}",
        )
    )


def _money(amount: Decimal) -> str:
    return f"{amount:,.6f}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "   ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
