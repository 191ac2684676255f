"""Every operation of Lambda's API: where it is found, and what answers it or why it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import aliases, concurrency, event_invoke, functions, invoke, layers, mappings, policy, tags, urls, versions
from .calls import Handler


@dataclass(frozen=True, slots=True)
class Operation:
    """`template` as in AWS's model: parts in braces are parameters. Either `handler` or `refused` says what comes."""

    name: str
    method: str
    template: str
    status: int = 200
    handler: Handler | None = None
    refused: str = ""

    def match(self, method: str, segments: Sequence[str]) -> dict[str, str] | None:
        """The parameters in a path, or None where it is another operation's."""
        own = self.template.strip("/").split("/")
        if method != self.method or len(own) != len(segments):
            return None
        found = {}
        for part, segment in zip(own, segments, strict=True):
            if part.startswith("{"):
                found[part[1:-1]] = segment
            elif part != segment:
                return None
        return found


_FUNCTION = "/2015-03-31/functions/{FunctionName}"
_LAYER = "/2018-10-31/layers/{LayerName}/versions"
_URL = "/2021-10-31/functions/{FunctionName}/url"
_EVENTS = "/2019-09-25/functions/{FunctionName}/event-invoke-config"
_PROVISIONED = "/2019-09-30/functions/{FunctionName}/provisioned-concurrency"
_RESERVED = "/2017-10-31/functions/{FunctionName}/concurrency"
_MAPPINGS = "/2015-03-31/event-source-mappings"
_TAGS = "/2017-03-31/tags/{Resource}"

SUPPORTED = (
    Operation("CreateFunction", "POST", "/2015-03-31/functions", 201, functions.create),
    Operation("ListFunctions", "GET", "/2015-03-31/functions", 200, functions.list_all),
    Operation("GetFunction", "GET", _FUNCTION, 200, functions.get),
    Operation("DeleteFunction", "DELETE", _FUNCTION, 204, functions.delete),
    Operation("GetFunctionConfiguration", "GET", f"{_FUNCTION}/configuration", 200, functions.get_configuration),
    Operation("UpdateFunctionConfiguration", "PUT", f"{_FUNCTION}/configuration", 200, functions.update_configuration),
    Operation("UpdateFunctionCode", "PUT", f"{_FUNCTION}/code", 200, functions.update_code),
    Operation("PublishVersion", "POST", f"{_FUNCTION}/versions", 201, versions.publish_version),
    Operation("ListVersionsByFunction", "GET", f"{_FUNCTION}/versions", 200, versions.list_versions),
    Operation("CreateAlias", "POST", f"{_FUNCTION}/aliases", 201, aliases.create),
    Operation("ListAliases", "GET", f"{_FUNCTION}/aliases", 200, aliases.list_all),
    Operation("GetAlias", "GET", f"{_FUNCTION}/aliases/{{Name}}", 200, aliases.get),
    Operation("UpdateAlias", "PUT", f"{_FUNCTION}/aliases/{{Name}}", 200, aliases.update),
    Operation("DeleteAlias", "DELETE", f"{_FUNCTION}/aliases/{{Name}}", 204, aliases.delete),
    Operation("Invoke", "POST", f"{_FUNCTION}/invocations", 200, invoke.invoke),
    Operation("InvokeAsync", "POST", "/2014-11-13/functions/{FunctionName}/invoke-async", 202, invoke.invoke_async),
    Operation(
        "InvokeWithResponseStream",
        "POST",
        "/2021-11-15/functions/{FunctionName}/response-streaming-invocations",
        200,
        invoke.invoke_with_response_stream,
    ),
    Operation("AddPermission", "POST", f"{_FUNCTION}/policy", 201, policy.add),
    Operation("GetPolicy", "GET", f"{_FUNCTION}/policy", 200, policy.get),
    Operation("RemovePermission", "DELETE", f"{_FUNCTION}/policy/{{StatementId}}", 204, policy.remove),
    Operation("PutFunctionConcurrency", "PUT", _RESERVED, 200, concurrency.put_reserved),
    Operation("DeleteFunctionConcurrency", "DELETE", _RESERVED, 204, concurrency.delete_reserved),
    Operation(
        "GetFunctionConcurrency",
        "GET",
        "/2019-09-30/functions/{FunctionName}/concurrency",
        200,
        concurrency.get_reserved,
    ),
    Operation("PutProvisionedConcurrencyConfig", "PUT", _PROVISIONED, 202, concurrency.put_provisioned),
    Operation("GetProvisionedConcurrencyConfig", "GET", _PROVISIONED, 200, concurrency.get_provisioned),
    Operation("ListProvisionedConcurrencyConfigs", "GET", _PROVISIONED, 200, concurrency.get_provisioned),
    Operation("DeleteProvisionedConcurrencyConfig", "DELETE", _PROVISIONED, 204, concurrency.delete_provisioned),
    Operation("CreateFunctionUrlConfig", "POST", _URL, 201, urls.create),
    Operation("UpdateFunctionUrlConfig", "PUT", _URL, 200, urls.update),
    Operation("GetFunctionUrlConfig", "GET", _URL, 200, urls.get),
    Operation("DeleteFunctionUrlConfig", "DELETE", _URL, 204, urls.delete),
    Operation("ListFunctionUrlConfigs", "GET", f"{_URL}s", 200, urls.list_all),
    Operation("PutFunctionEventInvokeConfig", "PUT", _EVENTS, 200, event_invoke.put),
    Operation("UpdateFunctionEventInvokeConfig", "POST", _EVENTS, 200, event_invoke.update),
    Operation("GetFunctionEventInvokeConfig", "GET", _EVENTS, 200, event_invoke.get),
    Operation("DeleteFunctionEventInvokeConfig", "DELETE", _EVENTS, 204, event_invoke.delete),
    Operation("ListFunctionEventInvokeConfigs", "GET", f"{_EVENTS}/list", 200, event_invoke.list_all),
    Operation("CreateEventSourceMapping", "POST", _MAPPINGS, 202, mappings.create),
    Operation("ListEventSourceMappings", "GET", _MAPPINGS, 200, mappings.list_all),
    Operation("GetEventSourceMapping", "GET", f"{_MAPPINGS}/{{UUID}}", 200, mappings.get),
    Operation("UpdateEventSourceMapping", "PUT", f"{_MAPPINGS}/{{UUID}}", 202, mappings.update),
    Operation("DeleteEventSourceMapping", "DELETE", f"{_MAPPINGS}/{{UUID}}", 202, mappings.delete),
    Operation("ListTags", "GET", _TAGS, 200, tags.list_all),
    Operation("TagResource", "POST", _TAGS, 204, tags.tag),
    Operation("UntagResource", "DELETE", _TAGS, 204, tags.untag),
    Operation("PublishLayerVersion", "POST", _LAYER, 201, layers.publish),
    Operation("ListLayerVersions", "GET", _LAYER, 200, layers.list_versions),
    Operation("GetLayerVersion", "GET", f"{_LAYER}/{{VersionNumber}}", 200, layers.get),
    Operation("DeleteLayerVersion", "DELETE", f"{_LAYER}/{{VersionNumber}}", 204, layers.delete),
    Operation("ListLayers", "GET", "/2018-10-31/layers", 200, layers.list_all),
    Operation("GetLayerVersionByArn", "GET", "/2018-10-31/layers", 200, layers.list_all),
    Operation("GetAccountSettings", "GET", "/2016-08-19/account-settings", 200, concurrency.account_settings),
    Operation(
        "GetFunctionCodeSigningConfig",
        "GET",
        "/2020-06-30/functions/{FunctionName}/code-signing-config",
        200,
        functions.signing_configuration,
    ),
)

_SIGNING = "code is not signed here"
_DURABLE = "durable executions are not supported"
_CAPACITY = "there is one machine, and no capacity to order"
_OWNER = "there is one account, and its layers are for it alone"
_RUNTIMES = "the runtime is the machine's, and is updated with it"
_LOOPS = "recursive invocations are not detected"
_POLICIES = "policies are made of statements: use AddPermission"
_SCALING = "limits are set by PutFunctionConcurrency"
_CONFIGS = "/2020-04-22/code-signing-configs"
_EXECUTIONS = "/2025-12-01/durable-executions"
_CALLBACKS = "/2025-12-01/durable-execution-callbacks/{CallbackId}"
_PROVIDERS = "/2025-11-30/capacity-providers"
_LAYER_POLICY = f"{_LAYER}/{{VersionNumber}}/policy"
_RESOURCE_POLICY = "/2026-07-09/resource-policy/{ResourceArn}"
_RECURSION = "/2024-08-31/functions/{FunctionName}/recursion-config"
_MANAGEMENT = "/2021-07-20/functions/{FunctionName}/runtime-management-config"
_FUNCTION_SCALING = "/2025-11-30/functions/{FunctionName}/function-scaling-config"
_FUNCTION_SIGNING = "/2020-06-30/functions/{FunctionName}/code-signing-config"

_REFUSED = (
    ("CreateCodeSigningConfig", "POST", _CONFIGS, _SIGNING),
    ("ListCodeSigningConfigs", "GET", _CONFIGS, _SIGNING),
    ("GetCodeSigningConfig", "GET", f"{_CONFIGS}/{{Arn}}", _SIGNING),
    ("UpdateCodeSigningConfig", "PUT", f"{_CONFIGS}/{{Arn}}", _SIGNING),
    ("DeleteCodeSigningConfig", "DELETE", f"{_CONFIGS}/{{Arn}}", _SIGNING),
    ("ListFunctionsByCodeSigningConfig", "GET", f"{_CONFIGS}/{{Arn}}/functions", _SIGNING),
    ("PutFunctionCodeSigningConfig", "PUT", _FUNCTION_SIGNING, _SIGNING),
    ("DeleteFunctionCodeSigningConfig", "DELETE", _FUNCTION_SIGNING, _SIGNING),
    ("AddLayerVersionPermission", "POST", _LAYER_POLICY, _OWNER),
    ("GetLayerVersionPolicy", "GET", _LAYER_POLICY, _OWNER),
    ("RemoveLayerVersionPermission", "DELETE", f"{_LAYER_POLICY}/{{StatementId}}", _OWNER),
    ("GetRuntimeManagementConfig", "GET", _MANAGEMENT, _RUNTIMES),
    ("PutRuntimeManagementConfig", "PUT", _MANAGEMENT, _RUNTIMES),
    ("GetFunctionRecursionConfig", "GET", _RECURSION, _LOOPS),
    ("PutFunctionRecursionConfig", "PUT", _RECURSION, _LOOPS),
    ("GetFunctionScalingConfig", "GET", _FUNCTION_SCALING, _SCALING),
    ("PutFunctionScalingConfig", "PUT", _FUNCTION_SCALING, _SCALING),
    ("GetResourcePolicy", "GET", _RESOURCE_POLICY, _POLICIES),
    ("PutResourcePolicy", "PUT", _RESOURCE_POLICY, _POLICIES),
    ("DeleteResourcePolicy", "DELETE", _RESOURCE_POLICY, _POLICIES),
    ("CreateCapacityProvider", "POST", _PROVIDERS, _CAPACITY),
    ("ListCapacityProviders", "GET", _PROVIDERS, _CAPACITY),
    ("GetCapacityProvider", "GET", f"{_PROVIDERS}/{{Name}}", _CAPACITY),
    ("UpdateCapacityProvider", "PUT", f"{_PROVIDERS}/{{Name}}", _CAPACITY),
    ("DeleteCapacityProvider", "DELETE", f"{_PROVIDERS}/{{Name}}", _CAPACITY),
    ("ListFunctionVersionsByCapacityProvider", "GET", f"{_PROVIDERS}/{{Name}}/function-versions", _CAPACITY),
    ("GetDurableExecution", "GET", f"{_EXECUTIONS}/{{Arn}}", _DURABLE),
    ("DeleteDurableExecution", "DELETE", f"{_EXECUTIONS}/{{Arn}}", _DURABLE),
    ("GetDurableExecutionHistory", "GET", f"{_EXECUTIONS}/{{Arn}}/history", _DURABLE),
    ("GetDurableExecutionState", "GET", f"{_EXECUTIONS}/{{Arn}}/state", _DURABLE),
    ("CheckpointDurableExecution", "POST", f"{_EXECUTIONS}/{{Arn}}/checkpoint", _DURABLE),
    ("PauseDurableExecution", "POST", f"{_EXECUTIONS}/{{Arn}}/pause", _DURABLE),
    ("ResumeDurableExecution", "POST", f"{_EXECUTIONS}/{{Arn}}/resume", _DURABLE),
    ("StopDurableExecution", "POST", f"{_EXECUTIONS}/{{Arn}}/stop", _DURABLE),
    (
        "ListDurableExecutionsByFunction",
        "GET",
        "/2025-12-01/functions/{FunctionName}/durable-executions",
        _DURABLE,
    ),
    ("SendDurableExecutionCallbackSuccess", "POST", f"{_CALLBACKS}/succeed", _DURABLE),
    ("SendDurableExecutionCallbackFailure", "POST", f"{_CALLBACKS}/fail", _DURABLE),
    ("SendDurableExecutionCallbackHeartbeat", "POST", f"{_CALLBACKS}/heartbeat", _DURABLE),
)
REFUSED = tuple(Operation(name, method, template, refused=why) for name, method, template, why in _REFUSED)
OPERATIONS = (*SUPPORTED, *REFUSED)


def find(method: str, segments: Sequence[str]) -> tuple[Operation, dict[str, str]] | None:
    """The operation of a path, and the parameters in it. Of two with one path the first answers for both."""
    for operation in OPERATIONS:
        found = operation.match(method, segments)
        if found is not None:
            return operation, found
    return None
