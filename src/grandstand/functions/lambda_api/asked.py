"""Check the types of what requests say. In AWS's model a field has the same type wherever it stands."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from grandstand.errors import ServiceFault
from grandstand.kinds import Object

from .faults import bad_json

_Texts = list[str] | None
_Text = str | None
_Number = int | None


class _Code(TypedDict, total=False):
    ZipFile: _Text
    S3Bucket: _Text
    S3Key: _Text
    S3ObjectVersion: _Text
    ImageUri: _Text
    SourceKMSKeyArn: _Text


class _Variables(TypedDict, total=False):
    Variables: dict[str, str] | None


class _Storage(TypedDict, total=False):
    Size: _Number


class _Target(TypedDict, total=False):
    TargetArn: _Text


class _Logging(TypedDict, total=False):
    LogFormat: _Text
    LogGroup: _Text
    ApplicationLogLevel: _Text
    SystemLogLevel: _Text


class _Image(TypedDict, total=False):
    EntryPoint: _Texts
    Command: _Texts
    WorkingDirectory: _Text


class _Routing(TypedDict, total=False):
    AdditionalVersionWeights: dict[str, float] | None


class _Cors(TypedDict, total=False):
    AllowCredentials: bool | None
    AllowHeaders: _Texts
    AllowMethods: _Texts
    AllowOrigins: _Texts
    ExposeHeaders: _Texts
    MaxAge: _Number


class _Destination(TypedDict, total=False):
    Destination: _Text


class _Destinations(TypedDict, total=False):
    OnSuccess: _Destination | None
    OnFailure: _Destination | None


class _Scaling(TypedDict, total=False):
    MaximumConcurrency: _Number


class _Filter(TypedDict, total=False):
    Pattern: _Text


class _Filters(TypedDict, total=False):
    Filters: list[_Filter] | None


class _Asked(TypedDict, total=False):
    Action: _Text
    Architectures: _Texts
    BatchSize: _Number
    Code: _Code | None
    CodeSha256: _Text
    CompatibleArchitectures: _Texts
    CompatibleRuntimes: _Texts
    Content: _Code | None
    Cors: _Cors | None
    DeadLetterConfig: _Target | None
    Description: _Text
    DestinationConfig: _Destinations | None
    DryRun: bool | None
    Enabled: bool | None
    Environment: _Variables | None
    EphemeralStorage: _Storage | None
    EventSourceArn: _Text
    EventSourceToken: _Text
    FilterCriteria: _Filters | None
    FunctionName: _Text
    FunctionResponseTypes: _Texts
    FunctionUrlAuthType: _Text
    FunctionVersion: _Text
    Handler: _Text
    ImageConfig: _Image | None
    ImageUri: _Text
    InvokedViaFunctionUrl: bool | None
    Layers: _Texts
    LicenseInfo: _Text
    LoggingConfig: _Logging | None
    MaximumBatchingWindowInSeconds: _Number
    MaximumEventAgeInSeconds: _Number
    MaximumRetryAttempts: _Number
    MemorySize: _Number
    Name: _Text
    PackageType: _Text
    Principal: _Text
    PrincipalOrgID: _Text
    ProvisionedConcurrentExecutions: _Number
    Publish: bool | None
    PublishTo: _Text
    ReservedConcurrentExecutions: _Number
    RevisionId: _Text
    Role: _Text
    RoutingConfig: _Routing | None
    Runtime: _Text
    S3Bucket: _Text
    S3Key: _Text
    S3ObjectVersion: _Text
    ScalingConfig: _Scaling | None
    SnapStart: dict[str, Any] | None
    SourceAccount: _Text
    SourceArn: _Text
    SourceKMSKeyArn: _Text
    StatementId: _Text
    Tags: dict[str, str] | None
    Timeout: _Number
    TracingConfig: dict[str, Any] | None
    VpcConfig: dict[str, Any] | None
    ZipFile: _Text


class _LogsAsked(TypedDict, total=False):
    logGroupName: _Text
    logGroupIdentifier: _Text
    logGroupNamePrefix: _Text
    logGroupNamePattern: _Text
    logStreamName: _Text
    logStreamNames: _Texts
    logStreamNamePrefix: _Text
    orderBy: _Text
    descending: bool | None
    nextToken: _Text
    limit: _Number
    startTime: _Number
    endTime: _Number
    startFromHead: bool | None
    filterPattern: _Text


def lambda_fields(body: bytes) -> Object:
    """A body of Lambda's API, unknown fields and all; {} where there is none. Raises ServiceFault."""
    return _checked(body or b"{}", _Asked)


def logs_fields(body: bytes) -> Object:
    """A body of CloudWatch Logs. Raises ServiceFault."""
    asked = _checked(body or b"{}", _LogsAsked)
    if asked.get("limit") is not None and asked["limit"] < 1:
        message = (
            "1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must be at least 1"
        )
        raise ServiceFault("InvalidParameterException", message, 400)
    return asked


def _checked(body: bytes, fields: type) -> Object:
    try:
        asked = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise bad_json(str(error)) from error
    try:
        msgspec.convert(asked, fields)
    except msgspec.ValidationError as error:
        raise ServiceFault("SerializationException", str(error), 400) from error
    return asked
