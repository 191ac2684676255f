"""What `grandstand rollout status` and `history` show of a Rollout and its ReplicaSets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from grandstand.errors import BadRequest
from grandstand.kinds import Object
from grandstand.kinds.rollouts import ROLLOUT_HASH

REVISION = "rollout.argoproj.io/revision"
DONE = ("Healthy", "Degraded")
"""Phases in which an update has come to its end."""


def summary(rollout: Object, replica_sets: Iterable[Object]) -> dict[str, Any]:
    """How a Rollout stands, as it is printed with `-o json`."""
    meta, spec, status = rollout["metadata"], rollout["spec"], rollout.get("status") or {}
    strategy = next(iter(spec.get("strategy") or {}), "")
    steps = (spec.get("strategy") or {}).get("canary", {}).get("steps") or []
    return {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "strategy": strategy,
        "phase": phase_of(rollout),
        "message": status.get("message", ""),
        **({"step": f"{status.get('currentStepIndex') or 0}/{len(steps)}"} if steps else {}),
        "revisions": [_revision(each, status) for each in newest_first(replica_sets)],
    }


def phase_of(rollout: Object) -> str:
    """Progressing, too, while the controller has not seen the newest template."""
    status = rollout.get("status") or {}
    seen = status.get("observedGeneration") == str(rollout["metadata"].get("generation"))
    return str(status.get("phase") or "Progressing") if seen else "Progressing"


def shown(found: dict[str, Any]) -> str:
    """The same for people."""
    head = [("Name", found["name"]), ("Namespace", found["namespace"]), ("Strategy", found["strategy"])]
    head += [("Status", found["phase"])] + ([("Message", found["message"])] if found["message"] else [])
    head += [("Step", found["step"])] if "step" in found else []
    lines = [f"{name + ':':<11}{value}" for name, value in head]
    lines += ["", f"{'REVISION':<10}{'HASH':<12}{'PODS':<8}{'ROLE':<26}IMAGES"]
    for each in found["revisions"]:
        pods = f"{each['ready']}/{each['replicas']}"
        lines.append(f"{each['revision']:<10}{each['hash']:<12}{pods:<8}{_role(each):<26}{', '.join(each['images'])}")
    return "\n".join(lines)


def past(rollout: Object, replica_sets: Iterable[Object], revision: int | None) -> dict[str, Any]:
    """The revisions, oldest first, as they are printed with `-o json`; of one, the template, too. Raises BadRequest."""
    status, ordered = rollout.get("status") or {}, newest_first(replica_sets)
    chosen = ordered[::-1] if revision is None else [_of_revision(ordered, revision)]
    revisions = [
        _revision(each, status)
        | {"created": each["metadata"].get("creationTimestamp", "")}
        | ({} if revision is None else {"template": own_template(each)})
        for each in chosen
    ]
    return {"name": rollout["metadata"]["name"], "namespace": rollout["metadata"]["namespace"], "revisions": revisions}


def shown_past(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"{'REVISION':<10}{'HASH':<12}{'CREATED':<22}{'ROLE':<26}IMAGES"]
    for each in found["revisions"]:
        images = ", ".join(each["images"])
        lines.append(f"{each['revision']:<10}{each['hash']:<12}{each['created']:<22}{_role(each):<26}{images}")
    templates = [each["template"] for each in found["revisions"] if "template" in each]
    return "\n".join([*lines, *("\n" + yaml.safe_dump({"template": each}).rstrip() for each in templates)])


def _role(revision: Object) -> str:
    return ", ".join(revision["roles"]) + (f" {revision['weight']}%" if revision["weight"] is not None else "")


def newest_first(replica_sets: Iterable[Object]) -> list[Object]:
    return sorted(replica_sets, key=revision_of, reverse=True)


def revision_of(replica_set: Object) -> int:
    text = (replica_set["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def template_to_undo_to(replica_sets: Iterable[Object], revision: int | None) -> Object:
    """The template of a revision, or of the one before the newest. Raises BadRequest where there is none."""
    ordered = newest_first(replica_sets)
    if revision is None and len(ordered) < 2:
        raise BadRequest("there is no revision before this one to go back to")
    return own_template(ordered[1] if revision is None else _of_revision(ordered, revision))


def _of_revision(ordered: Sequence[Object], revision: int) -> Object:
    found = next((each for each in ordered if revision_of(each) == revision), None)
    if found is None:
        there = ", ".join(str(revision_of(each)) for each in ordered)
        raise BadRequest(f"there is no revision {revision}: there are {there}")
    return found


def own_template(replica_set: Object) -> Object:
    """The template as it stood in the Rollout."""
    template: Object = replica_set["spec"]["template"]
    labels = {name: value for name, value in template["metadata"]["labels"].items() if name != ROLLOUT_HASH}
    return template | {"metadata": template["metadata"] | {"labels": labels}}


def _revision(replica_set: Object, status: Object) -> dict[str, Any]:
    version = replica_set["metadata"]["labels"].get(ROLLOUT_HASH, "")
    blue_green, weights = status.get("blueGreen") or {}, (status.get("canary") or {}).get("weights") or {}
    named = {
        "stable": status.get("stableRS"),
        "active": blue_green.get("activeSelector"),
        "preview": blue_green.get("previewSelector"),
        "canary": (weights.get("canary") or {}).get("podTemplateHash"),
    }
    shares = {part.get("podTemplateHash"): part.get("weight") for part in weights.values()}
    numbers = replica_set.get("status") or {}
    return {
        "revision": revision_of(replica_set),
        "hash": version,
        "replicas": replica_set["spec"].get("replicas", 0),
        "ready": numbers.get("readyReplicas", 0),
        "roles": [role for role, selected in named.items() if selected == version],
        "weight": shares.get(version),
        "images": [each["image"] for each in replica_set["spec"]["template"]["spec"]["containers"]],
    }
