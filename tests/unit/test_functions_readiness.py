"""What keeps a function from being invoked."""

from __future__ import annotations

from typing import Any

import pytest

from grandstand.functions.readiness import problem_of
from grandstand.kinds import Function, view

HERE, MISSING = "a" * 64, "b" * 64
RUNTIMES = ("python3.11", "nodejs20.x")


def function(**spec: Any) -> Function:
    said = {"functionName": "hello", "runtime": "python3.11", "code": {"sha256": HERE}, **spec}
    meta = {"name": "hello", "namespace": "default", "uid": "u", "generation": 2}
    return view(Function, {"metadata": meta, "spec": said})


@pytest.mark.parametrize(
    ("spec", "code", "reason"),
    [
        ({}, None, ""),
        ({"runtime": "nodejs20.x"}, None, ""),
        ({"code": {"sha256": MISSING}}, "InvalidZipFileException", "There is no code with the hash b"),
        ({"layers": [{"sha256": MISSING}]}, "InvalidZipFileException", "upload it again"),
        ({"runtime": "provided.al2023"}, "InvalidRuntime", "no runtime provided.al2023: it has python3.11, nodejs20.x"),
        ({"runtime": "", "code": {"image": "mine:1"}}, "InvalidImage", "Container images cannot be run as functions"),
    ],
)
def test_what_a_function_lacks(spec: dict[str, Any], code: str | None, reason: str) -> None:
    found = problem_of(function(**spec), lambda digest: digest == HERE, RUNTIMES)
    assert (found and found.code) == code
    assert found is None or reason in found.reason


def test_where_nobody_asks_for_runtimes_any_will_do() -> None:
    assert problem_of(function(runtime="provided"), lambda digest: True, None) is None
