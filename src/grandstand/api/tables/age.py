"""Write how long ago something happened, as kubectl shows it."""

from __future__ import annotations

from grandstand.clock import parse_time

_DAY_HOURS, _YEAR_DAYS = 24, 365


def human_duration(seconds: float) -> str:
    """Two units at most, the second only while it matters: `45s`, `5m30s`, `3h12m`, `2d4h`, `400d`, `3y20d`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    years = days // _YEAR_DAYS
    if whole < 120:
        text = f"{max(whole, 0)}s"
    elif minutes < 180:
        text = _two(minutes, "m", whole % 60, "s") if minutes < 10 else f"{minutes}m"
    elif hours < 2 * _DAY_HOURS:
        text = _two(hours, "h", minutes % 60, "m") if hours < 8 else f"{hours}h"
    elif days < 2 * _YEAR_DAYS:
        text = _two(days, "d", hours % _DAY_HOURS, "h") if days < 8 else f"{days}d"
    else:
        text = _two(years, "y", days % _YEAR_DAYS, "d") if years < 8 else f"{years}y"
    return text


def _two(more: int, unit: str, less: int, smaller_unit: str) -> str:
    return f"{more}{unit}{less}{smaller_unit}" if less else f"{more}{unit}"


def since(time: str | None, now: float) -> str:
    """The time between an RFC 3339 time and now; `<unknown>` where there is none."""
    moment = seconds_of(time)
    return "<unknown>" if moment is None else human_duration(now - moment)


def seconds_of(time: str | None) -> float | None:
    """Seconds since the epoch, or None for what is no time."""
    try:
        return parse_time(time) if time else None
    except ValueError:
        return None
