"""The policy of a function: AddPermission, RemovePermission, GetPolicy."""

from __future__ import annotations

import re

import msgspec

from grandstand.kinds import Object

from .calls import Call, Parts, Reply
from .faults import conflict, invalid, not_found, out_of_bounds, stale, validation
from .names import Reference, function_arn, parse
from .shown import policy_revision

_CONDITIONS = (
    ("SourceArn", "ArnLike", "AWS:SourceArn"),
    ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
    ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ("InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"),
    ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
)
_STATEMENT_ID = re.compile(r"[a-zA-Z0-9_-]{1,100}")
_ACTION = re.compile(r"lambda:[*]|lambda:[a-zA-Z]+|[*]")


async def add(parts: Parts, call: Call) -> Reply:
    asked = call.asked()
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    statement = _statement(asked, function_arn(parts.settings, reference.name, reference.qualifier))
    await parts.stored.target(reference)

    def decide(function: Object) -> Object:
        _check_revision(function, asked.get("RevisionId"))
        policy = function["spec"].get("policy") or []
        if any(each["Sid"] == statement["Sid"] for each in _of(policy, statement["Resource"])):
            raise conflict(
                f"The statement id ({statement['Sid']}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        return {**function["spec"], "policy": [*policy, statement]}

    await parts.stored.change(reference.name, decide)
    return Reply({"Statement": _text(statement)})


async def remove(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    arn, sid = function_arn(parts.settings, reference.name, reference.qualifier), call.path["StatementId"]

    def decide(function: Object) -> Object:
        policy = function["spec"].get("policy") or []
        found = [each for each in _of(policy, arn) if each["Sid"] == sid]
        if not found:
            raise not_found(f"Statement {sid} is not found in resource policy.")
        _check_revision(function, call.query.get("RevisionId"))
        return {**function["spec"], "policy": [each for each in policy if each not in found]}

    await parts.stored.target(reference)
    await parts.stored.change(reference.name, decide)
    return Reply(status=204)


async def get(parts: Parts, call: Call) -> Reply:
    reference = parse(call.path["FunctionName"], parts.settings, call.qualifier)
    function = (await parts.stored.target(reference)).function
    statements = _of(function["spec"].get("policy") or [], _arn(parts, reference))
    if not statements:
        raise not_found()
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return Reply({"Policy": _text(policy), "RevisionId": policy_revision(function)})


def _arn(parts: Parts, reference: Reference) -> str:
    return function_arn(parts.settings, reference.name, reference.qualifier)


def _of(policy: list[Object], arn: str) -> list[Object]:
    return [statement for statement in policy if statement.get("Resource") == arn]


def _check_revision(function: Object, revision: str | None) -> None:
    if revision and revision != policy_revision(function):
        raise stale("GetPolicy")


def _statement(asked: Object, arn: str) -> Object:
    sid, action, principal = (asked.get(key) or "" for key in ("StatementId", "Action", "Principal"))
    problems = []
    if not _STATEMENT_ID.fullmatch(sid):
        constraint = "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)"
        problems.append(out_of_bounds("statementId", sid, constraint))
    if not _ACTION.fullmatch(action):
        constraint = "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        problems.append(out_of_bounds("action", action, constraint))
    if problems:
        raise validation(problems)
    statement: Object = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": _principal(principal),
        "Action": action,
        "Resource": arn,
    }
    conditions: Object = {}
    for field, operator, key in _CONDITIONS:
        if asked.get(field) is not None:
            value = asked[field]
            conditions.setdefault(operator, {})[key] = str(value).lower() if isinstance(value, bool) else value
    return statement | ({"Condition": conditions} if conditions else {})


def _principal(principal: str) -> object:
    if principal == "*":
        return "*"
    if principal.endswith(".amazonaws.com"):
        return {"Service": principal}
    if re.fullmatch(r"\d{12}", principal):
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    if principal.startswith("arn:aws:iam::"):
        return {"AWS": principal}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def _text(value: Object) -> str:
    return msgspec.json.encode(value).decode()
