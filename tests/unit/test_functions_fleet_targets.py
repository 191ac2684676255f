"""What a name and a qualifier mean, and what an instance is told."""

from __future__ import annotations

import pytest

from grandstand.functions.fleet.targets import chosen, supervisor_settings, target_of
from grandstand.functions.lambda_api.ports import Settings
from grandstand.kinds import Function, FunctionVersion, view
from grandstand.kinds.functions import Alias


def function(**spec: object) -> Function:
    said = {"functionName": "Hello", "runtime": "python3.11", "handler": "app.handler", **spec}
    return view(Function, {"metadata": {"name": "hello", "namespace": "default", "uid": "u-1"}, "spec": said})


def version(number: str, **spec: object) -> FunctionVersion:
    said = {"functionName": "Hello", "function": "hello", "version": number, **spec}
    return view(FunctionVersion, {"metadata": {"name": f"hello.{number}", "namespace": "default"}, "spec": said})


@pytest.mark.parametrize(
    ("chance", "given"), [(0.0, "2"), (0.09, "2"), (0.1, "3"), (0.29, "3"), (0.31, "1"), (0.999, "1")]
)
def test_an_alias_shares_by_its_weights(chance: float, given: str) -> None:
    assert chosen(Alias(name="live", version="1", weights={"2": 0.1, "3": 0.2}), chance) == given


@pytest.mark.parametrize(
    ("qualifier", "found"),
    [("", "$LATEST"), ("$LATEST", "$LATEST"), ("1", "1"), ("live", "1"), ("2", None), ("x", None)],
)
def test_what_a_qualifier_means(qualifier: str, found: str | None) -> None:
    aliased = function(aliases=[{"name": "live", "version": "1"}])
    target = target_of(aliased, {"1": version("1", handler="old.handler")}, qualifier, 0.5)
    assert (target and target.version) == found


def test_a_description_has_a_key_and_what_is_no_part_of_an_instance_does_not_change_it() -> None:
    before, with_url, other = (
        target_of(each, {}, "", 0.5)
        for each in (function(), function(url={"authType": "NONE"}, reservedConcurrency=5), function(memoryMB=256))
    )
    assert before is not None
    assert with_url is not None
    assert other is not None
    assert before.key == with_url.key
    assert before.key != other.key


def test_an_instance_is_told_by_which_name_it_is_called() -> None:
    target = target_of(function(aliases=[{"name": "live", "version": "$LATEST"}]), {}, "live", 0.5)
    assert target is not None
    told = supervisor_settings(target, "2026/11/27/[$LATEST]abc", Settings())
    assert told["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:Hello:live"
    assert (told["logGroup"], told["version"], told["handler"]) == ("/aws/lambda/Hello", "$LATEST", "app.handler")
