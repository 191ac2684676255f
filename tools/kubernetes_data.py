"""Make the data files of `grandstand.api` (schemas and protobuf tables) from what the Kubernetes authors publish.

    python tools/kubernetes_data.py kubernetes_validate-1.37.0-py3-none-any.whl messages.json

Only what is reachable from the kinds that we serve, and from those that clients send beside them, is kept. Run it again
after adding a kind to `grandstand.kinds.resources`.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from grandstand.kinds import RESOURCES

VERSION = "1.37.0"
DEFINITIONS = f"kubernetes_validate/kubernetes-json-schema/v{VERSION}-local/_definitions.json"
OUTPUT = Path(__file__).parents[1] / "src/grandstand/api/data"

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
# Kinds that no resource has as its own: bodies of subresources and reviews, and what the API itself answers with.
OTHERS = (
    *(META + kind for kind in ("Status", "DeleteOptions", "WatchEvent", "Patch")),
    *(META + kind for kind in ("APIGroup", "APIGroupList", "APIResourceList", "APIVersions")),
    "io.k8s.api.core.v1.Binding",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    "io.k8s.api.authentication.v1.TokenRequest",
    "io.k8s.api.authentication.v1.TokenReview",
    "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    "io.k8s.api.authorization.v1.SubjectAccessReview",
)
# Messages that the envelope of a body needs.
ENVELOPE = ("k8s.io.apimachinery.pkg.runtime.Unknown", "k8s.io.apimachinery.pkg.runtime.TypeMeta")
# Structs that Go embeds, so that JSON has their fields one level higher than protobuf.
INLINED = frozenset({"localObjectReference", "handler", "ephemeralContainerCommon", "volumeSource", "ingressRuleValue"})
SPECIAL = {"FieldsV1", "IntOrString", "MicroTime", "Quantity", "RawExtension", "Time", "Verbs"}
# Optional scalars that are pointers in Go: JSON shows their zero value. Of all others JSON omits it.
POINTERS = {
    "ObjectMeta": "deletionGracePeriodSeconds",
    "OwnerReference": "controller blockOwnerDeletion",
    "PodSpec": "terminationGracePeriodSeconds activeDeadlineSeconds automountServiceAccountToken shareProcessNamespace "
    "priority enableServiceLinks setHostnameAsFQDN hostUsers runtimeClassName preemptionPolicy hostnameOverride",
    "Container": "restartPolicy",
    "EphemeralContainerCommon": "restartPolicy",
    "Probe": "terminationGracePeriodSeconds",
    "SecurityContext": "privileged runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem "
    "allowPrivilegeEscalation procMount",
    "PodSecurityContext": "runAsUser runAsGroup runAsNonRoot fsGroup supplementalGroupsPolicy fsGroupChangePolicy "
    "seLinuxChangePolicy",
    "AppArmorProfile": "localhostProfile",
    "SeccompProfile": "localhostProfile",
    "WindowsSecurityContextOptions": "gmsaCredentialSpecName gmsaCredentialSpec runAsUserName hostProcess",
    "VolumeMount": "recursiveReadOnly mountPropagation",
    "VolumeMountStatus": "recursiveReadOnly",
    "PodDNSConfigOption": "value",
    "PodResourceClaim": "resourceClaimName resourceClaimTemplateName",
    "PodResourceClaimStatus": "resourceClaimName",
    "Toleration": "tolerationSeconds",
    "TopologySpreadConstraint": "minDomains nodeAffinityPolicy nodeTaintsPolicy",
    "AzureDiskVolumeSource": "cachingMode fsType kind readOnly",
    "CSIVolumeSource": "readOnly fsType",
    "ConfigMapVolumeSource": "defaultMode optional",
    "SecretVolumeSource": "defaultMode optional",
    "ProjectedVolumeSource": "defaultMode",
    "DownwardAPIVolumeSource": "defaultMode",
    "DownwardAPIVolumeFile": "mode",
    "KeyToPath": "mode",
    "ConfigMapKeySelector": "optional",
    "SecretKeySelector": "optional",
    "FileKeySelector": "optional",
    "ConfigMapEnvSource": "optional",
    "SecretEnvSource": "optional",
    "ConfigMapProjection": "optional",
    "SecretProjection": "optional",
    "ClusterTrustBundleProjection": "optional name signerName",
    "PodCertificateProjection": "maxExpirationSeconds",
    "ServiceAccountTokenProjection": "expirationSeconds",
    "FCVolumeSource": "lun",
    "GRPCAction": "service",
    "ISCSIVolumeSource": "initiatorName",
    "HostPathVolumeSource": "type",
    "PersistentVolumeClaimSpec": "storageClassName volumeMode volumeAttributesClassName",
    "TypedLocalObjectReference": "apiGroup",
    "TypedObjectReference": "apiGroup namespace",
    "Lifecycle": "stopSignal",
    "ContainerStatus": "started stopSignal",
    "ServiceSpec": "allocateLoadBalancerNodePorts ipFamilyPolicy loadBalancerClass internalTrafficPolicy "
    "trafficDistribution",
    "ServicePort": "appProtocol",
    "LoadBalancerIngress": "ipMode",
    "PortStatus": "error",
    "ClientIPConfig": "timeoutSeconds",
    "ConfigMap": "immutable",
    "Secret": "immutable",
    "ServiceAccount": "automountServiceAccountToken",
    "NodeFeatures": "supplementalGroupsPolicy",
    "NodeSwapStatus": "capacity",
    "NodeRuntimeHandlerFeatures": "recursiveReadOnlyMounts userNamespaces",
    "DeploymentSpec": "replicas revisionHistoryLimit progressDeadlineSeconds",
    "DeploymentStatus": "terminatingReplicas collisionCount",
    "ReplicaSetSpec": "replicas",
    "ReplicaSetStatus": "terminatingReplicas",
    "EndpointConditions": "ready serving terminating",
    "Endpoint": "hostname nodeName zone",
    "EndpointPort": "name protocol port appProtocol",
    "LeaseSpec": "leaseDurationSeconds leaseTransitions holderIdentity strategy preferredHolder",
    "IngressSpec": "ingressClassName",
    "IngressPortStatus": "error",
    "HorizontalPodAutoscalerSpec": "minReplicas",
    "HorizontalPodAutoscalerStatus": "observedGeneration",
    "HPAScalingRules": "stabilizationWindowSeconds selectPolicy",
    "MetricTarget": "averageUtilization",
    "MetricValueStatus": "averageUtilization",
    "ListMeta": "remainingItemCount",
    "DeleteOptions": "gracePeriodSeconds orphanDependents propagationPolicy "
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "Preconditions": "uid resourceVersion",
    "TokenRequestSpec": "expirationSeconds",
}
# The published table spells this field as protobuf does; JSON spells it so.
JSON_NAMES = {"uID": "uid"}

Schema = dict[str, Any]


def main(wheel: Path, messages: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        published = json.loads(archive.read(DEFINITIONS))["$defs"]
    names = reachable(published, roots(published))
    versions = {gvk_of(marker) for name in names for marker in markers(published[name]) if not name.startswith(META)}
    definitions = {name: schema_of(name, published[name], versions) for name in sorted(names)}
    write("definitions.json", definitions)
    write("messages.json", tables(json.loads(messages.read_text()), definitions))


def roots(published: dict[str, Schema]) -> list[str]:
    """The definitions of our resources and their lists, and of the other kinds that clients send."""
    wanted = {(r.group, r.version, r.kind + suffix) for r in RESOURCES for suffix in ("", "List")}
    ours = [name for name, schema in published.items() if {kind_of(m) for m in markers(schema)} & wanted]
    return [*ours, *OTHERS]


def markers(schema: Schema) -> list[dict[str, str]]:
    return list(schema.get("x-kubernetes-group-version-kind", ()))


def kind_of(marker: dict[str, str]) -> tuple[str, str, str]:
    return marker["group"], marker["version"], marker["kind"]


def gvk_of(marker: dict[str, str]) -> tuple[str, str]:
    return marker["group"], marker["version"]


def reachable(published: dict[str, Schema], names: list[str]) -> set[str]:
    """The named definitions and all that they refer to."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(references(published[name]))
    return seen


def references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for value in schema.values() for name in references(value)]


def schema_of(name: str, published: Schema, versions: set[tuple[str, str]]) -> Schema:
    """One definition in the form that Kubernetes serves under `/openapi/v3`."""
    short = name.rpartition(".")[2]
    if short == "IntOrString":
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    if short == "Quantity":
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    schema = cleaned(published)
    found = [marker for marker in markers(schema) if gvk_of(marker) in versions or not name.startswith(META)]
    schema.pop("x-kubernetes-group-version-kind", None)
    return {**schema, **({"x-kubernetes-group-version-kind": found} if found else {})}


def cleaned(schema: Schema) -> Schema:
    """A schema without the `null` types and constants that `kubernetes-validate` added; references as in OpenAPI v3."""
    result: Schema = {}
    for key, value in schema.items():
        match key:
            case "type":
                result[key] = value if isinstance(value, str) else next(item for item in value if item != "null")
            case "properties":
                result[key] = {name: cleaned(inner) for name, inner in value.items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                result[key] = cleaned(value)
            case "enum":
                pass
            case "$ref":
                pass
            case _:
                result[key] = value
    if "$ref" in schema:
        target = {"$ref": "#/components/schemas/" + schema["$ref"].rpartition("/")[2]}
        return {"allOf": [target], **result} if result else target
    return result


def tables(published: dict[str, dict[str, list[str]]], definitions: dict[str, Schema]) -> dict[str, Any]:
    """Kinds by "apiVersion/kind", and messages: field number -> [JSON name, type, how]."""
    messages: dict[str, dict[str, list[str]]] = {}
    waiting = [message_of(name) for name, schema in definitions.items() if markers(schema)] + list(ENVELOPE)
    while waiting:
        name = waiting.pop()
        if name in messages or name not in published:
            continue
        schema = definitions.get("io.k8s" + name.removeprefix("k8s.io"), {})
        messages[name] = {number: field_of(name, schema, *field) for number, field in published[name].items()}
        waiting.extend(kind.removeprefix("map<").removesuffix(">") for _, kind, _ in messages[name].values())
    kinds = {
        "/".join(filter(None, kind_of(marker))): message_of(name)
        for name, schema in definitions.items()
        for marker in markers(schema)
        if message_of(name) in messages
    }
    return {"kinds": kinds, "messages": dict(sorted(messages.items()))}


def message_of(definition: str) -> str:
    return "k8s.io" + definition.removeprefix("io.k8s")


def field_of(message: str, schema: Schema, name: str, kind: str, repeated: str = "") -> list[str]:
    """How a field is decoded: `repeated`, `inline`, `keep` (JSON shows its zero value) or `omit` (it does not)."""
    short = message.rpartition(".")[2]
    name = JSON_NAMES.get(name, name)
    if repeated:
        return [name, kind, "repeated"]
    if short in SPECIAL or short in ("Unknown", "TypeMeta"):
        return [name, kind, "keep"]
    if name in INLINED:
        return [name, kind, "inline"]
    always = name in schema.get("required", ()) or name in POINTERS.get(short, "").split()
    scalar = not kind.startswith(("k8s.io.", "map<"))
    return [name, kind, "keep" if always or not scalar else "omit"]


def write(name: str, data: object) -> None:
    """Write one line per entry, so that a new version of Kubernetes shows as a readable difference."""
    assert isinstance(data, dict)
    if name == "messages.json":
        body = ",\n".join(f"{json.dumps(key)}:{entries(value)}" for key, value in data.items())
    else:
        body = entries(data)[1:-1]
    (OUTPUT / name).write_text("{" + body + "}\n")


def entries(data: dict[str, Any]) -> str:
    lines = (f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in data.items())
    return "{\n" + ",\n".join(lines) + "\n}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} KUBERNETES_VALIDATE_WHEEL MESSAGES_JSON")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
