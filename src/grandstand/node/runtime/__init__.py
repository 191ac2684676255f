"""Run containers through conmon and an OCI runtime, so that they outlive the engine."""

from __future__ import annotations

from grandstand.errors import (
    CreateContainerError,
    ExecTimeout,
    NoRuntime,
    NoSuchContainer,
    RunContainerError,
    RuntimeFailure,
)
from grandstand.node.cgroups import Limits

from .adoption import Adopted
from .attachment import Attachment
from .capabilities import ALL_CAPABILITIES, USUAL_CAPABILITIES, canonical, capability_set, is_capability
from .command import Command, CommandStreams
from .containers import Runtime
from .executing import ExecResult
from .exits import ContainerExit
from .oci import OciRuntime, detect
from .spec import ContainerSpec, Mount, Namespaces, Security, User
from .users import resolve_user

__all__ = [
    "ALL_CAPABILITIES",
    "USUAL_CAPABILITIES",
    "Adopted",
    "Attachment",
    "Command",
    "CommandStreams",
    "ContainerExit",
    "ContainerSpec",
    "CreateContainerError",
    "ExecResult",
    "ExecTimeout",
    "Limits",
    "Mount",
    "Namespaces",
    "NoRuntime",
    "NoSuchContainer",
    "OciRuntime",
    "RunContainerError",
    "Runtime",
    "RuntimeFailure",
    "Security",
    "User",
    "canonical",
    "capability_set",
    "detect",
    "is_capability",
    "resolve_user",
]
