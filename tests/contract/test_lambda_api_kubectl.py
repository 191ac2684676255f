"""Functions through the real kubectl: the same objects as through Lambda's API."""

from __future__ import annotations

from api_programs import Programs
from api_server_world import running as api_running
from lambda_api_world import code, running

FUNCTION = {
    "apiVersion": "grandstand.dev/v1alpha1",
    "kind": "Function",
    "metadata": {"name": "applied"},
    "spec": {"runtime": "nodejs20.x", "handler": "index.handler"},
}


async def test_kubectl_and_boto3_see_the_same_functions(tmp_path):
    async with api_running(tmp_path / "api") as api, running(api.client, tmp_path) as world:
        kubectl = Programs(api, "default", tmp_path).kubectl
        kept = world.artefacts.add(code(name="index.js"))
        manifest = {**FUNCTION, "spec": {**FUNCTION["spec"], "code": {"sha256": kept.sha256}}}
        assert "function.grandstand.dev/applied created" in await kubectl("apply", "-f", "-", stdin=manifest)
        assert "unchanged" in await kubectl("apply", "-f", "-", stdin=manifest)
        await world.wait("function_active_v2", FunctionName="applied")
        await world.make("Made_By_Boto3", MemorySize=512)
        await world.wait("function_active_v2", FunctionName="Made_By_Boto3")
        rows = [line.split() for line in (await kubectl("get", "functions")).splitlines()]
        assert rows[0] == ["NAME", "RUNTIME", "HANDLER", "STATE", "INSTANCES", "AGE"]
        assert [row[1:5] for row in rows[1:]] == [
            ["nodejs20.x", "index.handler", "Active", "0"],
            ["python3.11", "app.handler", "Active", "0"],
        ]
        configured = {**manifest, "spec": {**manifest["spec"], "timeoutSeconds": 20}}
        assert "configured" in await kubectl("apply", "-f", "-", stdin=configured)
        await world.wait("function_updated_v2", FunctionName="applied")
        assert (await world.call("get_function_configuration", FunctionName="applied"))["Timeout"] == 20
        assert "applied" in await kubectl("get", "all")
        assert "KIND:       Function" in await kubectl("explain", "fn")
        assert 'functions.grandstand.dev "applied" deleted' in (await kubectl("delete", "fn", "applied")).replace(
            "function.grandstand.dev", "functions.grandstand.dev"
        )
        assert (await world.error("get_function", FunctionName="applied"))[1] == "ResourceNotFoundException"


async def test_kubectl_says_what_is_wrong_with_a_function(tmp_path):
    async with api_running(tmp_path / "api") as api:
        kubectl = Programs(api, "default", tmp_path).kubectl
        wrong = {**FUNCTION, "spec": {"runtime": "ruby3.3", "handler": "a.b", "code": {"sha256": "x"}, "memoryMB": 64}}
        said = await kubectl("apply", "-f", "-", stdin=wrong, fails=True)
        assert 'spec.runtime: Unsupported value: "ruby3.3": supported values: "python3.11", "nodejs18.x"' in said
        assert "spec.memoryMB: Invalid value: 64: must be between 128 and 10240, inclusive" in said
        assert "spec.code.sha256: Invalid value" in said
        misspelt = {**FUNCTION, "spec": {**FUNCTION["spec"], "timeout": 3}}
        assert 'unknown field "spec.timeout"' in await kubectl("apply", "-f", "-", stdin=misspelt, fails=True)
