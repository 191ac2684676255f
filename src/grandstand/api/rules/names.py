"""Syntax of names, keys and values: each function gives what is wrong with a text, in Kubernetes' words; [] is fine."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, ip_address

NameRule = Callable[[str], list[str]]

LABEL_MAX = 63
SUBDOMAIN_MAX = 253

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_NAME_PART})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"


def _explained(what: str, pattern: str, *examples: str) -> str:
    quoted = " or ".join(f"'{example}', " for example in examples)
    return f"{what} ({f'e.g. {quoted}' if quoted else ''}regex used for validation is '{pattern}')"


_LABEL_WRONG = _explained(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_LABEL_1035_WRONG = _explained(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_SUBDOMAIN_WRONG = _explained(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_WILDCARD_WRONG = _explained(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    _WILDCARD,
    "*.example.com",
)
_NAME_PART_WRONG = _explained(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _NAME_PART,
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE_WRONG = _explained(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_WRONG = _explained(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_HEADER_WRONG = _explained(
    "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name"
)


def _checked(text: str, pattern: str, wrong: str, limit: int) -> list[str]:
    problems = [f"must be no more than {limit} bytes"] if len(text.encode()) > limit else []
    return problems if re.fullmatch(pattern, text, re.ASCII) else [*problems, wrong]


def dns_label(text: str) -> list[str]:
    return _checked(text, _LABEL, _LABEL_WRONG, LABEL_MAX)


def dns_1035_label(text: str) -> list[str]:
    return _checked(text, _LABEL_1035, _LABEL_1035_WRONG, LABEL_MAX)


def dns_subdomain(text: str) -> list[str]:
    return _checked(text, _SUBDOMAIN, _SUBDOMAIN_WRONG, SUBDOMAIN_MAX)


def wildcard_subdomain(text: str) -> list[str]:
    return _checked(text, _WILDCARD, _WILDCARD_WRONG, SUBDOMAIN_MAX)


def label_value(text: str) -> list[str]:
    return _checked(text, _LABEL_VALUE, _LABEL_VALUE_WRONG, LABEL_MAX)


def http_header(text: str) -> list[str]:
    return _checked(text, _HEADER, _HEADER_WRONG, SUBDOMAIN_MAX)


def qualified_name(text: str) -> list[str]:
    """A label key or the like: `name` or `example.com/name`."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return [
            f"a qualified name {_NAME_PART_WRONG} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns_subdomain(prefix)]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > LABEL_MAX:
        problems.append(f"name part must be no more than {LABEL_MAX} bytes")
    if not re.fullmatch(_NAME_PART, name, re.ASCII):
        problems.append(f"name part {_NAME_PART_WRONG}")
    return problems


def config_key(text: str) -> list[str]:
    """A key of a ConfigMap or Secret; it becomes a file name."""
    problems = _checked(text, _CONFIG_KEY, _CONFIG_KEY_WRONG, SUBDOMAIN_MAX)
    if text == ".":
        problems.append("must not be '.'")
    elif text == "..":
        problems.append("must not be '..'")
    elif text.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def environment_name(text: str) -> list[str]:
    """Since 1.34 any printable ASCII but `=`."""
    if not text:
        return ["environment variable name must be non-empty"]
    if not all(" " <= character <= "~" and character != "=" for character in text):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def port_name(text: str) -> list[str]:
    """An IANA service name."""
    problems = []
    if len(text) > 15:
        problems.append("must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", text):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        problems.append("must contain at least one letter (a-z)")
    if "--" in text:
        problems.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def ip(text: str) -> list[str]:
    try:
        if "%" in text:
            raise ValueError("Python takes anything behind an IPv6 address as its zone, Kubernetes has none")
        ip_address(text)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def ipv4(text: str) -> list[str]:
    try:
        IPv4Address(text)
    except AddressValueError:
        return ["must be a valid IPv4 address"]
    return []


def is_percent(text: str) -> bool:
    return re.fullmatch("[0-9]+%", text) is not None


PERCENT_WRONG = _explained(
    "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%"
)
