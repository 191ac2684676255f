"""List objects: which ones, as of which revision, and page by page."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from grandstand.errors import BadRequest, Expired
from grandstand.kinds import Object, Resource
from grandstand.selectors import EVERYTHING, FieldSelector, Selector, fields_match, matches, parse_fields, parse_labels

from . import rules
from .refusals import too_new
from .store import Store, Stored

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which objects a list or watch is about."""

    labels: Selector = EVERYTHING
    fields: FieldSelector = ()

    @classmethod
    def parse(cls, resource: Resource, labels: str, fields: str) -> Filter:
        """Read the selectors of a request. Raises BadRequest."""
        if not labels and not fields:
            return ALL
        selectable = rules.selectable_fields(resource)
        return cls(parse_labels(labels), parse_fields(fields, selectable.__contains__))

    def accepts(self, obj: Object) -> bool:
        return matches(self.labels, obj["metadata"].get("labels")) and fields_match(self.fields, obj)

    @property
    def everything(self) -> bool:
        return not self.labels and not self.fields


ALL = Filter()


@dataclass(frozen=True, slots=True)
class ListOptions:
    """How much of a list is wanted (`limit` 0: all), and as of when."""

    filter: Filter = ALL
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    version_match: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Objects as of a revision. `remaining` says how many follow, where that is known without counting."""

    items: list[Stored]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where the next page starts: after the key `after`, as of `revision`."""

    revision: int
    after: tuple[str, str]

    def token(self) -> str:
        body = msgspec.json.encode({"v": 1, "rv": self.revision, "after": self.after})
        return base64.urlsafe_b64encode(body).decode().rstrip("=")

    @classmethod
    def parse(cls, token: str) -> Bookmark:
        """Read a continue token. Raises BadRequest where it is not one of ours."""
        try:
            body = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            parsed = msgspec.json.decode(body, type=_Token)
        except (binascii.Error, msgspec.DecodeError, ValueError) as error:
            raise BadRequest(f"continue key is not valid: {error}; list again without it") from error
        return cls(parsed.rv, parsed.after)


class _Token(msgspec.Struct):
    rv: int
    after: tuple[str, str]


def page(store: Store, resource: Resource, namespace: str, options: ListOptions) -> Page:
    """The objects that a list request asks for. Raises BadRequest, Expired, TimedOut."""
    start = Bookmark.parse(options.continue_token) if options.continue_token else None
    items, revision = store.list(resource.qualified, namespace, at=_revision(store, options, start))
    if start is not None:
        items = items[bisect_right(items, start.after, key=_place) :]
    return _cut(items, revision, options)


def _cut(items: list[Stored], revision: int, options: ListOptions) -> Page:
    """The first `limit` items that the filter accepts."""
    accepts: Callable[[Object], bool] = options.filter.accepts
    if not options.filter.everything:
        items = [item for item in items if accepts(item.object)]
    if not options.limit or len(items) <= options.limit:
        return Page(items, revision)
    # Kubernetes counts what remains only where no selector makes that expensive.
    remaining = len(items) - options.limit if options.filter.everything else None
    items = items[: options.limit]
    return Page(items, revision, Bookmark(revision, _place(items[-1])).token(), remaining)


def _place(item: Stored) -> tuple[str, str]:
    return item.key.namespace, item.key.name


def _revision(store: Store, options: ListOptions, start: Bookmark | None) -> int | None:
    """As of which revision to list, None for the newest."""
    version, match = options.resource_version, options.version_match
    _check_versions(version, match, start is not None)
    if start is not None:
        if start.revision < store.compacted:
            raise Expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter."
            )
        return start.revision
    if version in ("", "0"):
        return None
    wanted = parse_version(version)
    if wanted > store.revision:
        raise too_new(wanted, store.revision)
    exact = match == EXACT or (not match and options.limit > 0)
    return wanted if exact else None


def _check_versions(version: str, match: str, continued: bool) -> None:
    if match not in ("", EXACT, NOT_OLDER_THAN):
        raise BadRequest(f"resourceVersionMatch {match!r} is not supported: write Exact or NotOlderThan")
    if match and not version:
        raise BadRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match and continued:
        raise BadRequest("resourceVersionMatch is forbidden when continue is provided")
    if continued and version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    if match == EXACT and version == "0":
        raise BadRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')


def parse_version(text: str) -> int:
    """The revision that a resourceVersion names. Raises BadRequest."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadRequest(f"invalid resourceVersion {text!r}: use one that the API gave")
    return int(text)
