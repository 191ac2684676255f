"""Side effects as values: what a controller's pure `reconcile` answers with, and the runner does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from grandstand.client import Propagation
from grandstand.kinds import Key, Object, Resource


@dataclass(frozen=True, slots=True)
class Emit:
    """Record a Kubernetes Event about an object; `type` is "Normal" or "Warning".

    As the `announce` of another action it is recorded when that has succeeded, `{name}` being the object's name.
    """

    about: Object
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object. For a subresource (`binding`), `object` is what is posted to that of the object `name`."""

    resource: Resource
    object: Object
    namespace: str = ""
    subresource: str = ""
    name: str = ""
    announce: Emit | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Replace an object; a resourceVersion in it is a precondition."""

    resource: Resource
    object: Object
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Patch:
    """Apply a JSON merge patch; with a uid, only to that very object."""

    resource: Resource
    key: Key
    patch: Object
    subresource: str = ""
    uid: str = ""
    announce: Emit | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object that has this uid; one that is gone already counts as deleted."""

    resource: Resource
    key: Key
    uid: str
    propagation: Propagation | None = None
    grace_seconds: int | None = None
    announce: Emit | None = None


Write: TypeAlias = Create | Update | Patch | Delete


@dataclass(frozen=True, slots=True)
class InBatches:
    """Do writes at the same time: at first so many, then twice as many each time, until a batch has a failure.

    A write that is bound to fail (a quota, a webhook) is then tried a few times, not a thousand. 0: all at once.
    """

    writes: tuple[Write, ...]
    first: int = 0


@dataclass(frozen=True, slots=True)
class Again:
    """Reconcile this key again after so many seconds, whatever happens until then."""

    after_seconds: float


Action: TypeAlias = Write | InBatches | Emit | Again
