"""Read what runc, skopeo and buildah write to standard error: lines of the Go library logrus. Pure."""

from __future__ import annotations

import re

_MESSAGE = re.compile(r'level=(?:error|fatal) msg=(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_ESCAPED = {"n": "\n", "t": "\t"}


def logged_error(text: str) -> str:
    """The error in it: the last `msg` of a line of the level error or fatal, or the text as it is."""
    messages = _MESSAGE.findall(text)
    if not messages:
        return text.strip()
    quoted, bare = messages[-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), quoted) or bare
