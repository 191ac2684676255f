"""Write answers of AWS's query protocol, which STS and IAM speak. Pure."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape


def answer(action: str, namespace: str, result: dict[str, Any] | None, request_id: str) -> bytes:
    """The answer to an action; None for actions without a result."""
    inner = "" if result is None else f"<{action}Result>{_fields(result)}</{action}Result>"
    meta = f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>"
    return f'<{action}Response xmlns="{escape(namespace)}">{inner}{meta}</{action}Response>'.encode()


def error(code: str, message: str, request_id: str, *, sender: bool) -> bytes:
    fields = {"Type": "Sender" if sender else "Receiver", "Code": code, "Message": message}
    shown = f"<Error>{_fields(fields)}</Error><RequestId>{escape(request_id)}</RequestId>"
    return f"<ErrorResponse>{shown}</ErrorResponse>".encode()


def _fields(value: Any) -> str:
    match value:
        case dict():
            return "".join(f"<{key}>{_fields(each)}</{key}>" for key, each in value.items())
        case list():
            return "".join(f"<member>{_fields(each)}</member>" for each in value)
        case bool():
            return str(value).lower()
    return escape(str(value))
