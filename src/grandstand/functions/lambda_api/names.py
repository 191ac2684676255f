"""Read names, ARNs and qualifiers of functions as AWS takes them, and write ARNs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from grandstand.errors import ServiceFault
from grandstand.kinds.functions import ALIAS_NAME, LATEST

from .faults import invalid, not_found, out_of_bounds, validation
from .ports import Settings

_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
_FUNCTION = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):(?=\d{12}:function:))?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]{1,128}))?"
)
_LAYER = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:[a-z]{2}(?:-[a-z]+)+-\d:\d{12}:layer:)?(?P<name>[a-zA-Z0-9_-]{1,140})(?::(?P<version>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A function, and which of its versions or aliases; "" is none in particular."""

    name: str
    qualifier: str = ""


def parse(text: str, settings: Settings, qualifier: str = "") -> Reference:
    """A name, an ARN or a part of one, with a qualifier in it or beside it. Raises ServiceFault."""
    found = _FUNCTION.fullmatch(text)
    if found is None:
        pattern = f"Member must satisfy regular expression pattern: {_PATTERN}"
        raise validation([out_of_bounds("functionName", text, pattern)])
    region, account = found["region"], found["account"]
    if region and region != settings.region:
        raise not_found(f"Functions from '{region}' are not reachable in this region ('{settings.region}')")
    if account and account != settings.account:
        raise ServiceFault("AccessDeniedException", f"Functions of the account {account} are not reachable here.", 403)
    inner = found["qualifier"] or ""
    if qualifier and qualifier != LATEST and not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", qualifier):
        pattern = "Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)"
        raise validation([out_of_bounds("qualifier", qualifier, pattern)])
    if inner and qualifier and inner != qualifier:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return Reference(found["name"], inner or qualifier)


def function_arn(settings: Settings, name: str, qualifier: str = "") -> str:
    arn = f"arn:aws:lambda:{settings.region}:{settings.account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def layer_arn(settings: Settings, name: str, version: str = "") -> str:
    arn = f"arn:aws:lambda:{settings.region}:{settings.account}:layer:{name}"
    return f"{arn}:{version}" if version else arn


def mapping_arn(settings: Settings, uuid: str) -> str:
    return f"arn:aws:lambda:{settings.region}:{settings.account}:event-source-mapping:{uuid}"


def parse_layer(text: str) -> tuple[str, str]:
    """The name of a layer and its version ("" where there is none), of a name or an ARN. Raises ServiceFault."""
    found = _LAYER.fullmatch(text)
    if found is None:
        raise validation([out_of_bounds("layerName", text, "Member must be the name or the ARN of a layer")])
    return found["name"], found["version"] or ""


def is_version(qualifier: str) -> bool:
    return qualifier.isascii() and qualifier.isdecimal()


def is_alias(qualifier: str) -> bool:
    return ALIAS_NAME.fullmatch(qualifier) is not None
