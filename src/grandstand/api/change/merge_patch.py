"""Apply a JSON merge patch (RFC 7386)."""

from __future__ import annotations

import copy
from typing import Any

from grandstand.errors import BadRequest
from grandstand.kinds import Object


def merge_patch(obj: Object, patch: Object) -> Object:
    """The object after the patch: null deletes, objects merge, anything else replaces. Raises BadRequest."""
    if not isinstance(patch, dict):
        raise BadRequest("a merge patch is a JSON object that holds the fields to change; null deletes a field")
    merged: Object = _merged(obj, patch)
    return merged


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    before = target if isinstance(target, dict) else {}
    result = {key: copy.deepcopy(value) for key, value in before.items() if key not in patch}
    result.update((key, _merged(before.get(key), value)) for key, value in patch.items() if value is not None)
    return {key: result[key] for key in (*before, *patch) if key in result}
