"""STS and IAM, as far as tools ask before they create functions: who am I, and roles.

Roles are kept as ConfigMaps. They let nobody do anything: functions here reach AWS by no role.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from grandstand.errors import AlreadyExists, NotFound, ServiceFault
from grandstand.kinds import Object
from grandstand.kinds.functions import FUNCTION_NAME, object_name
from grandstand.kinds.resources import CONFIG_MAPS

from .calls import Parts
from .stored import MANAGER

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
IAM_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
LABEL = "grandstand.dev/iam-role"

Form = Mapping[str, str]
Result = dict[str, Any] | None
Action = Callable[[Parts, Form], Awaitable[Result]]


async def caller_identity(parts: Parts, form: Form) -> Result:
    account = parts.settings.account
    return {"Arn": f"arn:aws:iam::{account}:root", "UserId": account, "Account": account}


async def create_role(parts: Parts, form: Form) -> Result:
    name, document = _named(form), form.get("AssumeRolePolicyDocument", "")
    for field in form:
        if field.startswith("Tags.") or field == "PermissionsBoundary":
            raise ServiceFault("ValidationError", f"{field} is not supported by Grandstand: leave it out", 400)
    role: Object = {
        "name": name,
        "path": form.get("Path") or "/",
        "description": form.get("Description") or "",
        "maxSession": _seconds(form.get("MaxSessionDuration") or "3600"),
        "trust": document,
        "attached": {},
        "inline": {},
    }
    made = _object(parts, name, role)
    try:
        made = await parts.stored.client.create(CONFIG_MAPS, made, options=MANAGER)
    except AlreadyExists as error:
        raise ServiceFault("EntityAlreadyExists", f"Role with name {name} already exists.", 409) from error
    return {"Role": _shown(parts, made)}


async def get_role(parts: Parts, form: Form) -> Result:
    return {"Role": _shown(parts, await _role(parts, form))}


async def list_roles(parts: Parts, form: Form) -> Result:
    found = await parts.stored.client.list(CONFIG_MAPS, parts.settings.namespace, labels=LABEL)
    return {"Roles": [_shown(parts, obj) for obj in found.items], "IsTruncated": False}


async def delete_role(parts: Parts, form: Form) -> Result:
    role = await _role(parts, form)
    held = _data(role)
    if held["attached"] or held["inline"]:
        message = "Cannot delete entity, must detach all policies first."
        raise ServiceFault("DeleteConflict", message, 409)
    await parts.stored.delete(CONFIG_MAPS, role["metadata"]["name"])
    return None


async def attach(parts: Parts, form: Form) -> Result:
    arn = form.get("PolicyArn", "")
    await _change(parts, form, lambda role: role["attached"].update({arn: arn.rpartition("/")[2]}))
    return None


async def detach(parts: Parts, form: Form) -> Result:
    await _change(parts, form, lambda role: role["attached"].pop(form.get("PolicyArn", ""), None))
    return None


async def list_attached(parts: Parts, form: Form) -> Result:
    attached = _data(await _role(parts, form))["attached"]
    listed = [{"PolicyName": name, "PolicyArn": arn} for arn, name in sorted(attached.items())]
    return {"AttachedPolicies": listed, "IsTruncated": False}


async def put_inline(parts: Parts, form: Form) -> Result:
    inline = {form.get("PolicyName", ""): form.get("PolicyDocument", "")}
    await _change(parts, form, lambda role: role["inline"].update(inline))
    return None


async def get_inline(parts: Parts, form: Form) -> Result:
    name = form.get("PolicyName", "")
    inline = _data(await _role(parts, form))["inline"]
    if name not in inline:
        message = f"The role policy with name {name} cannot be found."
        raise ServiceFault("NoSuchEntity", message, 404)
    return {"RoleName": _named(form), "PolicyName": name, "PolicyDocument": quote(inline[name], safe="")}


async def delete_inline(parts: Parts, form: Form) -> Result:
    await _change(parts, form, lambda role: role["inline"].pop(form.get("PolicyName", ""), None))
    return None


async def list_inline(parts: Parts, form: Form) -> Result:
    return {"PolicyNames": sorted(_data(await _role(parts, form))["inline"]), "IsTruncated": False}


async def instance_profiles(parts: Parts, form: Form) -> Result:
    """There are none; tools ask before they delete a role."""
    await _role(parts, form)
    return {"InstanceProfiles": [], "IsTruncated": False}


async def change_trust(parts: Parts, form: Form) -> Result:
    document = form.get("PolicyDocument", "")
    await _change(parts, form, lambda role: role.update({"trust": document}))
    return None


STS_ACTIONS: dict[str, Action] = {"GetCallerIdentity": caller_identity}
IAM_ACTIONS: dict[str, Action] = {
    "CreateRole": create_role,
    "GetRole": get_role,
    "ListRoles": list_roles,
    "DeleteRole": delete_role,
    "UpdateAssumeRolePolicy": change_trust,
    "AttachRolePolicy": attach,
    "DetachRolePolicy": detach,
    "ListAttachedRolePolicies": list_attached,
    "PutRolePolicy": put_inline,
    "GetRolePolicy": get_inline,
    "DeleteRolePolicy": delete_inline,
    "ListRolePolicies": list_inline,
    "ListInstanceProfilesForRole": instance_profiles,
}


def _named(form: Form) -> str:
    name = form.get("RoleName", "")
    if not re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII):
        raise ServiceFault("ValidationError", "RoleName must be 1 to 64 letters, digits and +=,.@-_", 400)
    return name


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{4,5}", text, re.ASCII) or not 3600 <= int(text) <= 43_200:
        raise ServiceFault("ValidationError", "MaxSessionDuration must be between 3600 and 43200 seconds", 400)
    return int(text)


def _object_name(name: str) -> str:
    """Roles may have signs in their names that objects may not."""
    plain = FUNCTION_NAME.fullmatch(name) is not None
    return f"iam-role.{object_name(name) if plain else hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _object(parts: Parts, name: str, role: Object) -> Object:
    meta = {"name": _object_name(name), "namespace": parts.settings.namespace, "labels": {LABEL: "true"}}
    data = {"role.json": msgspec.json.encode(role).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def _role(parts: Parts, form: Form) -> Object:
    name = _named(form)
    try:
        return await parts.stored.client.get(CONFIG_MAPS, parts.settings.namespace, _object_name(name))
    except NotFound:
        message = f"The role with name {name} cannot be found."
        raise ServiceFault("NoSuchEntity", message, 404) from None


def _data(role: Object) -> Object:
    return msgspec.json.decode(role["data"]["role.json"], type=dict[str, Any])


async def _change(parts: Parts, form: Form, change: Callable[[Object], object]) -> None:
    role = await _role(parts, form)
    data = _data(role)
    change(data)
    await parts.stored.replace(CONFIG_MAPS, {**role, "data": {"role.json": msgspec.json.encode(data).decode()}})


def _shown(parts: Parts, role: Object) -> dict[str, Any]:
    data = _data(role)
    return {
        "Path": data["path"],
        "RoleName": data["name"],
        "RoleId": f"AROA{role['metadata']['uid'].replace('-', '')[:17].upper()}",
        "Arn": f"arn:aws:iam::{parts.settings.account}:role{data['path']}{data['name']}",
        "CreateDate": role["metadata"]["creationTimestamp"],
        "AssumeRolePolicyDocument": quote(data["trust"], safe=""),
        "Description": data["description"],
        "MaxSessionDuration": data["maxSession"],
    }
