"""Name what a Pod may ask of Kubernetes and this platform does not do: refused with a reason, never ignored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grandstand.api.rules.fields import Causes, forbidden
from grandstand.kinds import Object


@dataclass(frozen=True, slots=True)
class Refused:
    """One field, by its dotted path; `unless` says which values ask for nothing out of the ordinary."""

    field: str
    why: str
    unless: Callable[[Any], bool] = lambda value: not value


def _is(*harmless: Any) -> Callable[[Any], bool]:
    return lambda value: not value or value in harmless


_APPARMOR = (
    "AppArmor profiles are not applied: leave the profile out; the seccomp profile RuntimeDefault is always on "
    "unless it is switched off"
)
_SELINUX = "SELinux labels are not applied: leave them out"
_SECCOMP = "profiles from files are not supported: use the type RuntimeDefault, or Unconfined"
_WINDOWS = "this platform runs Linux containers only"

_PROFILES = (
    Refused("securityContext.windowsOptions", _WINDOWS),
    Refused("securityContext.seLinuxOptions", _SELINUX),
    Refused("securityContext.seccompProfile.type", _SECCOMP, lambda value: value != "Localhost"),
    Refused(
        "securityContext.appArmorProfile.type", _APPARMOR, lambda value: value not in ("Localhost", "RuntimeDefault")
    ),
)

REFUSED_IN_POD: tuple[Refused, ...] = (
    *_PROFILES,
    Refused("securityContext.seLinuxChangePolicy", _SELINUX),
    Refused(
        "securityContext.supplementalGroupsPolicy",
        "groups of the image's user are always merged: use Merge, or leave it out",
        _is("Merge"),
    ),
    Refused(
        "shareProcessNamespace",
        "containers of a Pod always have process namespaces of their own: leave it out, or use hostPID",
    ),
    Refused(
        "hostUsers",
        "user namespaces need runc 1.2 or crun 1.9, and Linux 6.3: leave it out, and set "
        "securityContext.runAsNonRoot instead",
        lambda value: value is not False,
    ),
    Refused("runtimeClassName", "there is one runtime, chosen when the engine starts: leave it out"),
    Refused("overhead", "it belongs to runtimeClassName, which is not supported: leave it out"),
    Refused("ephemeralContainers", "ephemeral containers are not supported: use a container of its own in the Pod"),
    Refused("resourceClaims", "resource claims are not supported: use cpu and memory requests and limits"),
    Refused("resources", "resources of the Pod as a whole are not supported: set those of its containers"),
    Refused("schedulingGates", "scheduling gates are not supported: create the Pod when it may run"),
    Refused("schedulingGroup", "groups of Pods scheduled together are not supported: leave it out"),
    Refused("evictionResponders", "eviction responders are not supported: leave it out"),
    Refused("setHostnameAsFQDN", "the host name is always the short one: use hostname and subdomain"),
    Refused("hostnameOverride", "the host name follows from the Pod: use hostname and subdomain"),
    Refused(
        "schedulerName",
        "the only scheduler is default-scheduler: leave it out",
        _is("default-scheduler"),
    ),
    Refused("os.name", _WINDOWS, _is("linux")),
)

REFUSED_IN_CONTAINER: tuple[Refused, ...] = (
    *_PROFILES,
    Refused(
        "securityContext.procMount", "only the Default masking of /proc is supported: leave it out", _is("Default")
    ),
    Refused("volumeDevices", "raw block devices are not supported: mount a volume"),
    Refused("restartPolicyRules", "restart rules by exit code are not supported: use the Pod's restartPolicy"),
    Refused("resizePolicy", "Pods are not resized in place: change the template, which replaces them"),
    Refused("livenessProbe.grpc", "gRPC probes are not supported: use httpGet, tcpSocket or exec"),
    Refused("readinessProbe.grpc", "gRPC probes are not supported: use httpGet, tcpSocket or exec"),
    Refused("startupProbe.grpc", "gRPC probes are not supported: use httpGet, tcpSocket or exec"),
)

ACCEPTED_WITH_WARNING: dict[str, str] = {
    "imagePullSecrets": (
        "registry credentials are not used for pulling: for a private registry, "
        "run `grandstand image pull` or `grandstand image load` first"
    ),
    "automountServiceAccountToken": "no service account token is mounted into containers",
}


def check_refused(obj: Object, path: str, refusals: tuple[Refused, ...]) -> Causes:
    for refused in refusals:
        value: Any = obj
        for step in refused.field.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        # grpc: {} is as much a wish as grpc: {port: 1}.
        if value is not None and ((value == {} and refused.field.endswith(".grpc")) or not refused.unless(value)):
            yield forbidden(f"{path}.{refused.field}", refused.why)
