"""Read and change what is set for a function, or for one of its versions or aliases alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST


def settings_of(function: Object, qualifier: str) -> Object:
    """The settings of a qualifier; the function's own, for none and for $LATEST."""
    spec: Object = function["spec"]
    return spec if qualifier in ("", LATEST) else (spec.get("qualified") or {}).get(qualifier) or {}


def with_setting(function: Object, qualifier: str, key: str, value: Object | None) -> Object:
    """The spec with one setting replaced, or taken away."""
    spec = dict(function["spec"])
    if qualifier in ("", LATEST):
        return _replaced(spec, key, value)
    qualified = dict(spec.get("qualified") or {})
    settings = _replaced(qualified.get(qualifier) or {}, key, value)
    return _replaced(spec, "qualified", _replaced(qualified, qualifier, settings or None) or None)


def _replaced(obj: Object, key: str, value: Object | None) -> Object:
    kept = {name: each for name, each in obj.items() if name != key}
    return kept if value is None else kept | {key: value}


def all_settings(function: Object, key: str) -> Iterator[tuple[str, Object]]:
    """Every qualifier that has a setting ($LATEST for the function's own), in order, with the setting."""
    spec = function["spec"]
    if spec.get(key) is not None:
        yield LATEST, spec[key]
    for qualifier, settings in sorted((spec.get("qualified") or {}).items()):
        if settings.get(key) is not None:
            yield qualifier, settings[key]
