"""Names of queues as SQS has them: plain, in ARNs and in URLs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class Home:
    """Whose queues these are."""

    region: str = "us-east-1"
    account: str = "000000000000"


def is_shown(name: str) -> bool:
    """Whether users may see a queue: the platform's own have a '/' in their names."""
    return QUEUE_NAME.fullmatch(name) is not None


def queue_arn(home: Home, name: str) -> str:
    return f"arn:aws:sqs:{home.region}:{home.account}:{name}"


def queue_url(home: Home, host: str, name: str) -> str:
    """`host` with its port, as the request was sent to it."""
    return f"http://{host}/{home.account}/{name}"


def name_in_arn(home: Home, arn: str) -> str | None:
    """The queue that an ARN means; None for what is none of ours."""
    return _behind(queue_arn(home, ""), arn)


def name_in_url(home: Home, url: str) -> str | None:
    """The queue that a URL means; None for what is none of ours. Hosts may differ: a port has several names."""
    path = url.partition("://")[2].partition("/")[2] if "://" in url else url.lstrip("/")
    return _behind(f"{home.account}/", path.removesuffix("/"))


def _behind(prefix: str, text: str) -> str | None:
    name = text.removeprefix(prefix)
    return name if text.startswith(prefix) and is_shown(name) else None
