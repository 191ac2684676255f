"""What the API checks of layers and triggers: what Functions are made of beside their code, and what calls them."""

from __future__ import annotations

from grandstand.kinds import Object
from grandstand.kinds.functions import ALIAS_NAME, FUNCTION_NAME, LATEST, SHA256

from .fields import (
    Causes,
    check_range,
    check_required,
    check_unchanged,
    fill,
    forbidden,
    invalid,
    items,
    part,
    required,
)
from .kind_rules import KindRules

_SOURCES = ("sqs", "schedule", "s3")
_MOST_IN_A_BATCH = 10_000
_MOST_WITHOUT_A_WINDOW = 10


def _check_layer(layer: Object) -> Causes:
    spec = part(layer, "spec")
    yield from check_required(spec, "spec", "layerName", "version")
    if not SHA256.fullmatch(part(spec, "code").get("sha256") or ""):
        yield invalid(
            "spec.code.sha256", part(spec, "code").get("sha256"), "must be a SHA-256 in 64 hexadecimal digits"
        )
    if part(spec, "code").get("image"):
        yield forbidden("spec.code.image", "a layer comes from a zip")


def _default_trigger(trigger: Object) -> None:
    spec = trigger.setdefault("spec", {})
    spec.setdefault("enabled", True)
    if spec.get("sqs") is not None:
        fill(spec["sqs"], batchSize=10)
    if spec.get("schedule") is not None:
        fill(spec["schedule"], timezone="UTC")


def _check_trigger(trigger: Object) -> Causes:
    spec = part(trigger, "spec")
    if not FUNCTION_NAME.fullmatch(spec.get("functionName") or ""):
        yield invalid("spec.functionName", spec.get("functionName"), "must be the name of a function")
    qualifier = spec.get("qualifier") or LATEST
    if qualifier != LATEST and not (qualifier.isdecimal() or ALIAS_NAME.fullmatch(qualifier)):
        yield invalid("spec.qualifier", qualifier, "must be the number of a version, or the name of an alias")
    if len([source for source in _SOURCES if spec.get(source) is not None]) != 1:
        yield required("spec", f"must have exactly one of {', '.join(_SOURCES)}")
    if spec.get("sqs") is not None:
        yield from _check_sqs(spec["sqs"], "spec.sqs")
    if spec.get("schedule") is not None:
        yield from _check_schedule(spec["schedule"], "spec.schedule")
    if (s3 := spec.get("s3")) is not None and bool(s3.get("bucket")) == bool(s3.get("directory")):
        yield required("spec.s3", "must have exactly one of `bucket` and `directory`")
    if (s3 := spec.get("s3")) is not None and not items(s3, "events"):
        yield required("spec.s3.events", "e.g. s3:ObjectCreated:*")


def _check_sqs(sqs: Object, path: str) -> Causes:
    yield from check_required(sqs, path, "queueArn")
    size, window = sqs.get("batchSize", 10), sqs.get("maximumBatchingWindowSeconds") or 0
    yield from check_range(f"{path}.batchSize", size, 1, _MOST_IN_A_BATCH)
    yield from check_range(f"{path}.maximumBatchingWindowSeconds", window, 0, 300)
    if size > _MOST_WITHOUT_A_WINDOW and not window:
        yield required(f"{path}.maximumBatchingWindowSeconds", "must be at least 1 for batches of more than 10")
    if sqs.get("maximumConcurrency") is not None:
        yield from check_range(f"{path}.maximumConcurrency", sqs["maximumConcurrency"], 2, 1000)


def _check_schedule(schedule: Object, path: str) -> Causes:
    expression = schedule.get("expression") or ""
    if not (expression.startswith(("rate(", "cron(", "at(")) and expression.endswith(")")):
        yield invalid(f"{path}.expression", expression, "must be e.g. rate(5 minutes) or cron(0 12 * * ? *)")


LAYERS = KindRules(check=_check_layer, check_update=lambda new, old: check_unchanged(new, old, "", "spec"))
TRIGGERS = KindRules(
    default=_default_trigger,
    check=_check_trigger,
    initial_status=lambda trigger: {},
    has_generation=True,
    warn=lambda trigger: ["nothing serves FunctionTriggers yet: no event will come from this one"],
)
