"""Typed views of Functions, their versions, layers and triggers; their names, and Lambda's limits."""

from __future__ import annotations

import hashlib
import re

import msgspec

from .meta import Meta, Object, View

LATEST = "$LATEST"
"""The qualifier of a function that is not a published version."""
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ALIAS_NAME = re.compile(r"(?![0-9]+$)[A-Za-z0-9_-]{1,128}")
SHA256 = re.compile(r"[0-9a-f]{64}")
PYTHON = re.compile(r"python3\.[0-9]{1,2}")
"""Which of them runs depends on what the machine has, which a check of an object cannot know."""
RUNTIMES = ("nodejs18.x", "nodejs20.x", "provided", "provided.al2", "provided.al2023")
"""Beside Python's."""
LEAST_MEMORY_MB, MOST_MEMORY_MB = 128, 10_240
MOST_TIMEOUT_SECONDS = 900
LEAST_STORAGE_MB, MOST_STORAGE_MB = 512, 10_240
MOST_ENVIRONMENT_BYTES = 4096
MOST_LAYERS = 5
CORS_METHODS = ("GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*")
CORS_LENGTHS = {"allowHeaders": 1024, "allowOrigins": 253, "exposeHeaders": 1024}
"""Characters that an item of these lists may have at most."""
CORS_TEXT = re.compile(r"[!-~]+")
"""What such an item is: it becomes part of a header."""
RESERVED_VARIABLES = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    )
)
"""Set by the platform, as Lambda does."""
_LABEL_MOST = 63
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def object_name(function_name: str) -> str:
    """The `metadata.name` of a function: its name where that is a DNS label, else lowered, with 6 digits of a hash."""
    if _LABEL.fullmatch(function_name):
        return function_name
    digits = hashlib.sha256(function_name.encode()).hexdigest()[:6]
    lowered = function_name.lower().replace("_", "-").strip("-")[:56].rstrip("-")
    return f"{lowered}-{digits}" if lowered else digits


def version_name(function_name: str, version: str) -> str:
    """The `metadata.name` of a published version: no function has a dot in its name."""
    return f"{object_name(function_name)}.{version}"


def url_label(function_name: str, alias: str = "") -> str:
    """The first label of the host of a function URL: `hello`, and of an alias `hello--live`.

    Where that is too long for DNS, or could be another function's, digits of a hash stand at its end.
    """
    parts = [object_name(each) for each in (function_name, alias) if each]
    label = "--".join(parts)
    if len(label) <= _LABEL_MOST and not any("--" in part for part in parts):
        return label
    digits = hashlib.sha256(f"{function_name}:{alias}".encode()).hexdigest()[:10]
    return f"{label.replace('--', '-')[: _LABEL_MOST - 13].rstrip('-')}-u-{digits}"


def is_runtime(runtime: str) -> bool:
    return runtime in RUNTIMES or PYTHON.fullmatch(runtime) is not None


def environment_bytes(environment: dict[str, str]) -> int:
    """How much of the 4 KB variables take: names and values, as UTF-8."""
    return sum(len(name.encode()) + len(value.encode()) for name, value in environment.items())


class Code(View, frozen=True):
    """`sha256` (hex) names the artefact of a zip; else there is an image."""

    sha256: str = ""
    size_bytes: int = 0
    image: str = ""


class Layer(View, frozen=True):
    sha256: str
    arn: str = ""
    size_bytes: int = 0


class Cors(View, frozen=True):
    """Which pages of other origins may ask a function URL; "*" in a list is everything."""

    allow_credentials: bool = False
    allow_headers: list[str] = []
    allow_methods: list[str] = []
    allow_origins: list[str] = []
    expose_headers: list[str] = []
    max_age_seconds: int | None = None


class FunctionUrl(View, frozen=True):
    auth_type: str
    invoke_mode: str = "BUFFERED"
    cors: Cors | None = None


class AsyncInvoke(View, frozen=True):
    maximum_retry_attempts: int = 2
    maximum_event_age_seconds: int = 21_600
    on_success: str = ""
    on_failure: str = ""


class Alias(View, frozen=True):
    """`weights`: shares of requests for other versions; the rest is for `version`."""

    name: str
    version: str
    description: str = ""
    weights: dict[str, float] = {}


class Provisioned(View, frozen=True):
    instances: int


class Qualified(View, frozen=True):
    """What is set for a version or an alias alone."""

    url: FunctionUrl | None = None
    async_invoke: AsyncInvoke | None = None
    provisioned: Provisioned | None = None


class ImageConfig(View, frozen=True):
    entry_point: list[str] = []
    command: list[str] = []
    working_directory: str = ""


class Logging(View, frozen=True):
    log_group: str = ""


class DeadLetter(View, frozen=True):
    target: str = ""


class VersionSpec(View, frozen=True):
    """What a published version freezes."""

    function_name: str
    code: Code = Code()
    runtime: str = ""
    handler: str = ""
    image_config: ImageConfig = ImageConfig()
    layers: list[Layer] = []
    environment: dict[str, str] = {}
    timeout_seconds: int = 3
    memory_mb: int = msgspec.field(name="memoryMB", default=128)
    ephemeral_storage_mb: int = msgspec.field(name="ephemeralStorageMB", default=512)
    role: str = ""
    description: str = ""
    architectures: list[str] = msgspec.field(default_factory=lambda: ["x86_64"])
    concurrency: int = 1
    idle_seconds: int | None = None
    logging: Logging = Logging()
    dead_letter: DeadLetter = DeadLetter()

    @property
    def log_group(self) -> str:
        return self.logging.log_group or f"/aws/lambda/{self.function_name}"


class FunctionSpec(VersionSpec, frozen=True):
    reserved_concurrency: int | None = None
    url: FunctionUrl | None = None
    aliases: list[Alias] = []
    async_invoke: AsyncInvoke | None = None
    qualified: dict[str, Qualified] = {}
    policy: list[Object] = []
    tags: dict[str, str] = {}


class FunctionStatus(View, frozen=True):
    """`latest_version` counts the versions ever published; `code_sha256` is in base64, as AWS gives it."""

    state: str = "Pending"
    state_reason: str = ""
    state_reason_code: str = ""
    last_update_status: str = ""
    last_update_status_reason: str = ""
    revision_id: str = ""
    last_modified: str = ""
    code_sha256: str = ""
    observed_generation: int = 0
    latest_version: int = 0
    instances: int = 0


class Function(View, frozen=True):
    metadata: Meta
    spec: FunctionSpec
    status: FunctionStatus = FunctionStatus()


class PublishedSpec(VersionSpec, frozen=True):
    """`function` is the Function's `metadata.name`."""

    function: str = ""
    version: str = ""


class FunctionVersion(View, frozen=True):
    metadata: Meta
    spec: PublishedSpec


class LayerSpec(View, frozen=True):
    layer_name: str
    version: str
    code: Code
    arn: str = ""
    description: str = ""
    license_info: str = ""
    compatible_runtimes: list[str] = []
    compatible_architectures: list[str] = []


class FunctionLayer(View, frozen=True):
    metadata: Meta
    spec: LayerSpec


class SqsTrigger(View, frozen=True):
    """`filters` are event patterns, as JSON."""

    queue_arn: str
    batch_size: int = 10
    maximum_batching_window_seconds: int = 0
    maximum_concurrency: int | None = None
    report_batch_item_failures: bool = False
    filters: list[str] = []


class ScheduleTrigger(View, frozen=True):
    """`expression` is `rate(5 minutes)` or `cron(0 12 * * ? *)`; `input` is the event, as JSON."""

    expression: str
    timezone: str = "UTC"
    input: str = ""


class S3Trigger(View, frozen=True):
    """Exactly one of `bucket` (S3-compatible) and `directory` (on this machine)."""

    bucket: str = ""
    directory: str = ""
    events: list[str] = []
    prefix: str = ""
    suffix: str = ""


class TriggerSpec(View, frozen=True):
    function_name: str
    qualifier: str = ""
    enabled: bool = True
    sqs: SqsTrigger | None = None
    schedule: ScheduleTrigger | None = None
    s3: S3Trigger | None = None
    tags: dict[str, str] = {}
    changed_at: str = ""


class FunctionTrigger(View, frozen=True):
    metadata: Meta
    spec: TriggerSpec
