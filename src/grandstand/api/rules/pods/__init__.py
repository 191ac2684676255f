"""The Pod: its defaults, checks and updates, shared with the templates of Deployments and ReplicaSets."""

from __future__ import annotations

from grandstand.kinds import Object

from .defaults import default_pod, default_pod_spec
from .quality import quality_of_service
from .refused import ACCEPTED_WITH_WARNING, REFUSED_IN_CONTAINER, REFUSED_IN_POD
from .rules import RULES
from .template import check_selector, check_template
from .warnings import template_warnings

__all__ = [
    "ACCEPTED_WITH_WARNING",
    "REFUSED_IN_CONTAINER",
    "REFUSED_IN_POD",
    "RULES",
    "Object",
    "check_selector",
    "check_template",
    "default_pod",
    "default_pod_spec",
    "quality_of_service",
    "template_warnings",
]
