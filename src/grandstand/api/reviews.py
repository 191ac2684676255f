"""Answer clients that ask who they are and what they may do. Pure.

There is one kind of user today, the administrator, who may do everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from grandstand.errors import BadRequest
from grandstand.kinds import Object, Resource

SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
SELF_SUBJECT_RULES_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False
)
SELF_SUBJECT_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)
REVIEWS = (SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_RULES_REVIEWS, SELF_SUBJECT_REVIEWS)
"""Resources that only answer a create, and are not stored."""


@dataclass(frozen=True, slots=True)
class User:
    """Who sends a request."""

    name: str
    groups: tuple[str, ...]


def review(resource: Resource, body: Object, user: User) -> Object:
    """The review that was sent, with its answer as status. Raises BadRequest for a question that is none."""
    spec = body.get("spec") or {}
    if not isinstance(spec, dict):
        raise BadRequest("spec must be an object")
    if resource is SELF_SUBJECT_ACCESS_REVIEWS:
        status = _access(spec)
    elif resource is SELF_SUBJECT_RULES_REVIEWS:
        if not spec.get("namespace"):
            raise BadRequest("spec.namespace is missing: rules are asked for in one namespace")
        status = _rules()
    else:
        status = {"userInfo": {"username": user.name, "groups": [*user.groups, "system:authenticated"]}}
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": body.get("metadata") or {},
        **({"spec": spec} if spec else {}),
        "status": status,
    }


def _access(spec: Object) -> Object:
    asked = [name for name in ("resourceAttributes", "nonResourceAttributes") if spec.get(name)]
    if len(asked) != 1:
        raise BadRequest("exactly one of spec.resourceAttributes and spec.nonResourceAttributes must be given")
    return {"allowed": True, "reason": "the administrator may do everything"}


def _rules() -> Object:
    everything = ["*"]
    return {
        "resourceRules": [{"verbs": everything, "apiGroups": everything, "resources": everything}],
        "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
        "incomplete": False,
    }
