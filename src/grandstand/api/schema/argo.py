"""What Argo's kinds look like, as OpenAPI definitions: written by hand after its CustomResourceDefinitions.

Fields that Argo has and we have not are there too, as whatever they hold: so they reach the rules, which refuse them by
name, instead of being dropped as unknown.
"""

from __future__ import annotations

from grandstand.kinds import Object

from .written import ANY_LIST, ANYTHING, BOOLEAN, INTEGER, STRING, kinds_of, list_of, reference, struct

TIME = reference("io.k8s.apimachinery.pkg.apis.meta.v1.Time")
AMOUNT = reference("io.k8s.apimachinery.pkg.util.intstr.IntOrString")
SELECTOR = reference("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector")
POD_TEMPLATE = reference("io.k8s.api.core.v1.PodTemplateSpec")

FIELD_REFERENCE = struct(fieldPath=STRING)
ARGUMENT = struct(
    name=STRING,
    value=STRING,
    valueFrom=struct(podTemplateHashValue=STRING, fieldRef=FIELD_REFERENCE, secretKeyRef=ANYTHING),
)
TEMPLATE_REFERENCE = struct(templateName=STRING, clusterScope=BOOLEAN)
ANALYSIS = struct(
    templates=list_of(TEMPLATE_REFERENCE),
    args=list_of(ARGUMENT),
    startingStep=INTEGER,
    dryRun=ANY_LIST,
    measurementRetention=ANY_LIST,
    analysisRunMetadata=ANYTHING,
)
BLUE_GREEN = struct(
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
STEP = struct(
    setWeight=INTEGER,
    pause=struct(duration=AMOUNT),
    analysis=ANALYSIS,
    setCanaryScale=struct(replicas=INTEGER, weight=INTEGER, matchTrafficWeight=BOOLEAN),
    experiment=ANYTHING,
    setHeaderRoute=ANYTHING,
    setMirrorRoute=ANYTHING,
    plugin=ANYTHING,
    replicaProgressThreshold=ANYTHING,
)
# A pause without a duration is an object without fields: it must not be dropped.
CANARY = struct(
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
ROLLOUT_SPEC = struct(
    replicas=INTEGER,
    selector=SELECTOR,
    template=POD_TEMPLATE,
    workloadRef=struct(apiVersion=STRING, kind=STRING, name=STRING, scaleDown=STRING),
    minReadySeconds=INTEGER,
    revisionHistoryLimit=INTEGER,
    progressDeadlineSeconds=INTEGER,
    progressDeadlineAbort=BOOLEAN,
    paused=BOOLEAN,
    restartAt=TIME,
    rollbackWindow=ANYTHING,
    analysis=struct(successfulRunHistoryLimit=INTEGER, unsuccessfulRunHistoryLimit=INTEGER),
    strategy=struct(blueGreen=BLUE_GREEN, canary=CANARY),
)
METRIC = struct(
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
TEMPLATE_SPEC = struct(
    metrics=list_of(METRIC),
    args=list_of(ARGUMENT),
    templates=list_of(TEMPLATE_REFERENCE),
    dryRun=ANY_LIST,
    measurementRetention=ANY_LIST,
)
RUN_SPEC = struct(
    metrics=list_of(METRIC), args=list_of(ARGUMENT), terminate=BOOLEAN, dryRun=ANY_LIST, measurementRetention=ANY_LIST
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
    return kinds_of("io.argoproj.v1alpha1.", "argoproj.io", "v1alpha1", KINDS)
