"""What Argo's kinds look like, as OpenAPI definitions: written by hand after its CustomResourceDefinitions.

Fields that Argo has and we have not are there too, as whatever they hold: so they reach the rules, which refuse them by
name, instead of being dropped as unknown.
"""

from __future__ import annotations

from typing import Any

from grandstand.kinds import Object

PREFIX = "io.argoproj.v1alpha1."
GROUP, VERSION = "argoproj.io", "v1alpha1"

STRING: Object = {"type": "string"}
INTEGER: Object = {"type": "integer", "format": "int32"}
BOOLEAN: Object = {"type": "boolean"}
ANYTHING: Object = {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
ANY_LIST: Object = {"type": "array", "items": ANYTHING}


def _reference(name: str) -> Object:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}


def _struct(**fields: Object) -> Object:
    return {"type": "object", "properties": fields}


def _list(item: Object) -> Object:
    return {"type": "array", "items": item}


TIME = _reference("io.k8s.apimachinery.pkg.apis.meta.v1.Time")
AMOUNT = _reference("io.k8s.apimachinery.pkg.util.intstr.IntOrString")
META = _reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
LIST_META = _reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")
SELECTOR = _reference("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector")
POD_TEMPLATE = _reference("io.k8s.api.core.v1.PodTemplateSpec")

FIELD_REFERENCE = _struct(fieldPath=STRING)
ARGUMENT = _struct(
    name=STRING,
    value=STRING,
    valueFrom=_struct(podTemplateHashValue=STRING, fieldRef=FIELD_REFERENCE, secretKeyRef=ANYTHING),
)
TEMPLATE_REFERENCE = _struct(templateName=STRING, clusterScope=BOOLEAN)
ANALYSIS = _struct(
    templates=_list(TEMPLATE_REFERENCE),
    args=_list(ARGUMENT),
    startingStep=INTEGER,
    dryRun=ANY_LIST,
    measurementRetention=ANY_LIST,
    analysisRunMetadata=ANYTHING,
)
BLUE_GREEN = _struct(
    activeService=STRING,
    previewService=STRING,
    previewReplicaCount=INTEGER,
    autoPromotionEnabled=BOOLEAN,
    autoPromotionSeconds=INTEGER,
    maxUnavailable=AMOUNT,
    scaleDownDelaySeconds=INTEGER,
    scaleDownDelayRevisionLimit=INTEGER,
    abortScaleDownDelaySeconds=INTEGER,
    prePromotionAnalysis=ANALYSIS,
    postPromotionAnalysis=ANALYSIS,
    antiAffinity=ANYTHING,
    activeMetadata=ANYTHING,
    previewMetadata=ANYTHING,
)
STEP = _struct(
    setWeight=INTEGER,
    pause=_struct(duration=AMOUNT),
    analysis=ANALYSIS,
    setCanaryScale=_struct(replicas=INTEGER, weight=INTEGER, matchTrafficWeight=BOOLEAN),
    experiment=ANYTHING,
    setHeaderRoute=ANYTHING,
    setMirrorRoute=ANYTHING,
    plugin=ANYTHING,
    replicaProgressThreshold=ANYTHING,
)
# A pause without a duration is an object without fields: it must not be dropped.
CANARY = _struct(
    stableService=STRING,
    canaryService=STRING,
    steps={"type": "array", "items": STEP, "x-kubernetes-list-type": "atomic"},
    analysis=ANALYSIS,
    maxSurge=AMOUNT,
    maxUnavailable=AMOUNT,
    dynamicStableScale=BOOLEAN,
    scaleDownDelaySeconds=INTEGER,
    scaleDownDelayRevisionLimit=INTEGER,
    abortScaleDownDelaySeconds=INTEGER,
    trafficRouting=ANYTHING,
    antiAffinity=ANYTHING,
    canaryMetadata=ANYTHING,
    stableMetadata=ANYTHING,
    pingPong=ANYTHING,
    minPodsPerReplicaSet=INTEGER,
)
ROLLOUT_SPEC = _struct(
    replicas=INTEGER,
    selector=SELECTOR,
    template=POD_TEMPLATE,
    workloadRef=_struct(apiVersion=STRING, kind=STRING, name=STRING, scaleDown=STRING),
    minReadySeconds=INTEGER,
    revisionHistoryLimit=INTEGER,
    progressDeadlineSeconds=INTEGER,
    progressDeadlineAbort=BOOLEAN,
    paused=BOOLEAN,
    restartAt=TIME,
    rollbackWindow=ANYTHING,
    analysis=_struct(successfulRunHistoryLimit=INTEGER, unsuccessfulRunHistoryLimit=INTEGER),
    strategy=_struct(blueGreen=BLUE_GREEN, canary=CANARY),
)
METRIC = _struct(
    name=STRING,
    interval=STRING,
    initialDelay=STRING,
    count=AMOUNT,
    successCondition=STRING,
    failureCondition=STRING,
    failureLimit=AMOUNT,
    inconclusiveLimit=AMOUNT,
    consecutiveErrorLimit=AMOUNT,
    consecutiveSuccessLimit=AMOUNT,
    provider=ANYTHING,
)
TEMPLATE_SPEC = _struct(
    metrics=_list(METRIC),
    args=_list(ARGUMENT),
    templates=_list(TEMPLATE_REFERENCE),
    dryRun=ANY_LIST,
    measurementRetention=ANY_LIST,
)
RUN_SPEC = _struct(
    metrics=_list(METRIC), args=_list(ARGUMENT), terminate=BOOLEAN, dryRun=ANY_LIST, measurementRetention=ANY_LIST
)
KINDS: dict[str, tuple[Object, bool]] = {
    "Rollout": (ROLLOUT_SPEC, True),
    "AnalysisTemplate": (TEMPLATE_SPEC, False),
    "ClusterAnalysisTemplate": (TEMPLATE_SPEC, False),
    "AnalysisRun": (RUN_SPEC, True),
}
"""The spec of each kind, and whether it has a status."""


def definitions() -> dict[str, Object]:
    """The definitions of all kinds and of their lists, by name."""
    found: dict[str, Object] = {}
    for kind, (spec, has_status) in KINDS.items():
        status: dict[str, Any] = {"status": ANYTHING} if has_status else {}
        found[PREFIX + kind] = _kind(kind, _struct(apiVersion=STRING, kind=STRING, metadata=META, spec=spec, **status))
        items = _list({"$ref": f"#/components/schemas/{PREFIX}{kind}"})
        listed = _struct(apiVersion=STRING, kind=STRING, metadata=LIST_META, items=items)
        found[f"{PREFIX}{kind}List"] = _kind(f"{kind}List", listed)
    return found


def _kind(kind: str, schema: Object) -> Object:
    marker = {"group": GROUP, "kind": kind, "version": VERSION}
    return {
        **schema,
        "x-kubernetes-group-version-kind": [marker],
        "required": ["spec"] if "spec" in schema["properties"] else ["items"],
    }
