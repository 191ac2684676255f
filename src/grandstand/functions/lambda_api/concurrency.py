"""Reserved and provisioned concurrency, and GetAccountSettings."""

from __future__ import annotations

from grandstand.clock import rfc3339
from grandstand.errors import ServiceFault
from grandstand.functions.artefacts.entries import MOST_UNZIPPED_BYTES, MOST_ZIPPED_BYTES
from grandstand.kinds import Object
from grandstand.kinds.functions import LATEST
from grandstand.kinds.resources import FUNCTION_VERSIONS, FUNCTIONS

from .calls import Call, Parts, Reply
from .faults import invalid, out_of_bounds, validation
from .names import function_arn, parse
from .pages import page
from .qualified import all_settings, settings_of, with_setting
from .shown import aws_time

ACCOUNT_CONCURRENCY = 1000
UNRESERVED_AT_LEAST = 100
_CODE_STORAGE_BYTES = 75 * 1024**3


async def put_reserved(parts: Parts, call: Call) -> Reply:
    name = parse(call.path["FunctionName"], parts.settings).name
    wanted = _number(call.asked(), "ReservedConcurrentExecutions", 0)
    await parts.stored.function(name)
    others = await _reserved(parts, besides=name)
    if ACCOUNT_CONCURRENCY - others - wanted < UNRESERVED_AT_LEAST and wanted:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_AT_LEAST}]."
        )
    await parts.stored.change(name, lambda function: {**function["spec"], "reservedConcurrency": wanted})
    return Reply({"ReservedConcurrentExecutions": wanted})


async def get_reserved(parts: Parts, call: Call) -> Reply:
    function = await parts.stored.function(parse(call.path["FunctionName"], parts.settings).name)
    reserved = function["spec"].get("reservedConcurrency")
    return Reply({} if reserved is None else {"ReservedConcurrentExecutions": reserved})


async def delete_reserved(parts: Parts, call: Call) -> Reply:
    name = parse(call.path["FunctionName"], parts.settings).name
    await parts.stored.change(
        name,
        lambda function: {key: value for key, value in function["spec"].items() if key != "reservedConcurrency"},
    )
    return Reply(status=204)


async def _reserved(parts: Parts, besides: str = "") -> int:
    specs = [obj["spec"] for obj in await parts.stored.all(FUNCTIONS)]
    return sum(spec.get("reservedConcurrency") or 0 for spec in specs if spec["functionName"] != besides)


async def put_provisioned(parts: Parts, call: Call) -> Reply:
    wanted = _number(call.asked(), "ProvisionedConcurrentExecutions", 1)
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    if reference.qualifier in ("", LATEST):
        raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
    await parts.stored.target(reference)
    setting = {"instances": wanted, "changedAt": rfc3339(parts.clock.now())}

    def decide(function: Object) -> Object:
        limit = function["spec"].get("reservedConcurrency")
        if limit is not None and wanted > limit:
            raise invalid(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        return with_setting(function, reference.qualifier, "provisioned", setting)

    function = await parts.stored.change(reference.name, decide)
    return Reply(_provisioned(function, reference.qualifier, setting))


async def get_provisioned(parts: Parts, call: Call) -> Reply:
    if call.query.get("List") == "ALL":
        return await _list_provisioned(parts, call)
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    function = (await parts.stored.target(reference)).function
    setting = settings_of(function, reference.qualifier).get("provisioned")
    if setting is None:
        message = "No Provisioned Concurrency Config found for this function"
        raise ServiceFault("ProvisionedConcurrencyConfigNotFoundException", message, 404)
    return Reply(_provisioned(function, reference.qualifier, setting))


async def _list_provisioned(parts: Parts, call: Call) -> Reply:
    name = parse(call.path["FunctionName"], parts.settings).name
    function = await parts.stored.function(name)
    shown, marker = page(all_settings(function, "provisioned"), lambda item: item[0], *call.marker)
    listed = [
        {"FunctionArn": function_arn(parts.settings, name, qualifier), **_provisioned(function, qualifier, setting)}
        for qualifier, setting in shown
    ]
    return Reply({"ProvisionedConcurrencyConfigs": listed} | ({"NextMarker": marker} if marker else {}))


async def delete_provisioned(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    await parts.stored.target(reference)
    await parts.stored.change(
        reference.name, lambda function: with_setting(function, reference.qualifier, "provisioned", None)
    )
    return Reply(status=204)


def _provisioned(function: Object, qualifier: str, setting: Object) -> Object:
    """`status.provisioned` says how many instances of a qualifier are ready."""
    ready = ((function.get("status") or {}).get("provisioned") or {}).get(qualifier) or 0
    wanted = setting["instances"]
    return {
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AllocatedProvisionedConcurrentExecutions": min(ready, wanted),
        "AvailableProvisionedConcurrentExecutions": min(ready, wanted),
        "Status": "READY" if ready >= wanted else "IN_PROGRESS",
        "LastModified": setting["changedAt"].replace("Z", "+0000") if setting.get("changedAt") else aws_time(0),
    }


def _number(asked: Object, field: str, least: int) -> int:
    value = asked.get(field)
    name = field[0].lower() + field[1:]
    if not isinstance(value, int) or isinstance(value, bool):
        raise validation([out_of_bounds(name, "null" if value is None else value, "Member must not be null")])
    if value < least:
        constraint = f"Member must have value greater than or equal to {least}"
        raise validation([out_of_bounds(name, value, constraint)])
    return value


async def account_settings(parts: Parts, call: Call) -> Reply:
    functions = await parts.stored.all(FUNCTIONS)
    running = [*functions, *await parts.stored.all(FUNCTION_VERSIONS)]
    sizes = {obj["spec"]["code"].get("sha256"): obj["spec"]["code"].get("sizeBytes") or 0 for obj in running}
    limit = {
        "TotalCodeSize": _CODE_STORAGE_BYTES,
        "CodeSizeUnzipped": MOST_UNZIPPED_BYTES,
        "CodeSizeZipped": MOST_ZIPPED_BYTES,
        "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
        "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - await _reserved(parts),
    }
    usage = {"TotalCodeSize": sum(sizes.values()), "FunctionCount": len(functions)}
    return Reply({"AccountLimit": limit, "AccountUsage": usage})
