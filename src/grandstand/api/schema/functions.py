"""What Functions and what belongs to them look like, as OpenAPI definitions."""

from __future__ import annotations

from grandstand.kinds import Object

from .written import ANY_LIST, BOOLEAN, INTEGER, LONG, NUMBER, STRING, kinds_of, list_of, map_of, struct

STRINGS = list_of(STRING)
CODE = struct(sha256=STRING, sizeBytes=LONG, image=STRING)
CORS = struct(
    allowCredentials=BOOLEAN,
    allowHeaders=STRINGS,
    allowMethods=STRINGS,
    allowOrigins=STRINGS,
    exposeHeaders=STRINGS,
    maxAgeSeconds=INTEGER,
)
URL = struct(authType=STRING, invokeMode=STRING, cors=CORS, createdAt=STRING, changedAt=STRING)
ASYNC_INVOKE = struct(
    maximumRetryAttempts=INTEGER,
    maximumEventAgeSeconds=INTEGER,
    onSuccess=STRING,
    onFailure=STRING,
    changedAt=STRING,
)
PROVISIONED = struct(instances=INTEGER, changedAt=STRING)
VERSION_FIELDS: dict[str, Object] = {
    "functionName": STRING,
    "runtime": STRING,
    "handler": STRING,
    "code": CODE,
    "imageConfig": struct(entryPoint=STRINGS, command=STRINGS, workingDirectory=STRING),
    "layers": list_of(struct(arn=STRING, sha256=STRING, sizeBytes=LONG)),
    "environment": map_of(STRING),
    "timeoutSeconds": INTEGER,
    "memoryMB": INTEGER,
    "ephemeralStorageMB": INTEGER,
    "role": STRING,
    "description": STRING,
    "architectures": STRINGS,
    "concurrency": INTEGER,
    "idleSeconds": INTEGER,
    "logging": struct(logGroup=STRING),
    "deadLetter": struct(target=STRING),
}
FUNCTION_SPEC = struct(
    **VERSION_FIELDS,
    reservedConcurrency=INTEGER,
    url=URL,
    aliases=list_of(struct(name=STRING, version=STRING, description=STRING, weights=map_of(NUMBER))),
    asyncInvoke=ASYNC_INVOKE,
    qualified=map_of(struct(url=URL, asyncInvoke=ASYNC_INVOKE, provisioned=PROVISIONED)),
    policy=ANY_LIST,
    tags=map_of(STRING),
)
VERSION_SPEC = struct(**VERSION_FIELDS, function=STRING, version=STRING)
LAYER_SPEC = struct(
    layerName=STRING,
    version=STRING,
    arn=STRING,
    code=CODE,
    description=STRING,
    licenseInfo=STRING,
    compatibleRuntimes=STRINGS,
    compatibleArchitectures=STRINGS,
)
TRIGGER_SPEC = struct(
    functionName=STRING,
    qualifier=STRING,
    enabled=BOOLEAN,
    sqs=struct(
        queueArn=STRING,
        batchSize=INTEGER,
        maximumBatchingWindowSeconds=INTEGER,
        maximumConcurrency=INTEGER,
        reportBatchItemFailures=BOOLEAN,
        filters=STRINGS,
    ),
    schedule=struct(expression=STRING, timezone=STRING, input=STRING),
    s3=struct(bucket=STRING, directory=STRING, events=STRINGS, prefix=STRING, suffix=STRING),
    tags=map_of(STRING),
    changedAt=STRING,
)


def definitions() -> dict[str, Object]:
    """The definitions of all kinds and of their lists, by name."""
    kinds = {
        "Function": (FUNCTION_SPEC, True),
        "FunctionVersion": (VERSION_SPEC, False),
        "FunctionLayer": (LAYER_SPEC, False),
        "FunctionTrigger": (TRIGGER_SPEC, True),
    }
    return kinds_of("dev.grandstand.v1alpha1.", "grandstand.dev", "v1alpha1", kinds)
