"""What the API does with Secrets."""

from __future__ import annotations

import base64

import msgspec

from grandstand.kinds import Object

from . import names
from .config_maps import SIZE_MAX, check_immutable, decoded_size
from .fields import Causes, check_name, check_unchanged, fill, forbidden, invalid, part, required, too_long
from .kind_rules import KindRules

_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 (the name of a type)
# All of these keys must be there.
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_KEYS = frozenset((".dockercfg", ".dockerconfigjson"))


def _default(secret: Object) -> None:
    fill(secret, type="Opaque")
    if texts := secret.pop("stringData", None):
        data = secret.setdefault("data", {})
        data.update({key: base64.b64encode(text.encode()).decode() for key, text in texts.items()})


def _check(secret: Object) -> Causes:
    data, kind = part(secret, "data"), secret.get("type") or ""
    for key in data:
        yield from check_name(f"data[{key}]", key, names.config_key(key))
    if sum(decoded_size(value) for value in data.values()) > SIZE_MAX:
        yield too_long("data", SIZE_MAX)
    if kind == _TOKEN_TYPE:
        yield forbidden("type", "no service account tokens are issued: use a credential of the kubeconfig")
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in data:
            yield required(f"data[{key}]")
        elif key in _JSON_KEYS and not _is_json(data[key]):
            yield invalid(f"data[{key}]", "<secret contents redacted>", "invalid character: the value must be JSON")
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        yield required("data[username]")
        yield required("data[password]")


def _is_json(encoded: str) -> bool:
    try:
        msgspec.json.decode(base64.b64decode(encoded))
    except ValueError:
        return False
    return True


def _check_update(new: Object, old: Object) -> Causes:
    yield from check_unchanged(new, old, "", "type")
    yield from check_immutable(new, old, "data")


RULES = KindRules(
    default=_default,
    check=_check,
    check_update=_check_update,
    selectable=frozenset(("type",)),
)
