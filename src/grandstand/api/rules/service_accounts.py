"""What the API does with ServiceAccounts."""

from __future__ import annotations

from grandstand.kinds import Object

from .fields import Causes, indexed, required
from .kind_rules import KindRules


def _check(account: Object) -> Causes:
    for where, secret in indexed(account, "imagePullSecrets", ""):
        if not secret.get("name"):
            yield required(f"{where}.name")


RULES = KindRules(check=_check)
