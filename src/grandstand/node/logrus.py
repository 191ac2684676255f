"""Read what runc, skopeo and buildah write to standard error: lines of the Go library logrus. Pure."""

from __future__ import annotations

import re


def logged_error(text: str) -> str:
    """The error in it: the last `msg` of a line of the level error or fatal, or the text as it is."""
    messages = re.findall(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"', text)
    if messages:
        return re.sub(r'\\(["\\])', r"\1", messages[-1])
    return text.strip()
