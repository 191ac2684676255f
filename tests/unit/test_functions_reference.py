"""The reference of Lambda's API names every operation, with the reason where one is refused."""

from __future__ import annotations

import re
from pathlib import Path

from grandstand.functions.lambda_api.given import MEANINGLESS
from grandstand.functions.lambda_api.identity import IAM_ACTIONS, STS_ACTIONS
from grandstand.functions.lambda_api.log_reading import READS
from grandstand.functions.lambda_api.operations import REFUSED, SUPPORTED

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "lambda-api.md").read_text()


def rows(heading: str, ending: str) -> dict[str, str]:
    """Operation -> what stands beside it."""
    part = PAGE.split(heading, 1)[1].split(ending, 1)[0]
    found = re.findall(r"^\| ([A-Z][A-Za-z, ]+) \| ?(.*?) ?\|$", part, re.MULTILINE)
    return {name: text for names, text in found for name in names.split(", ")}


def test_what_is_supported():
    assert set(rows("## Operations", "Refused, with")) == {operation.name for operation in SUPPORTED}


def test_what_is_refused_and_why():
    assert rows("Refused, with `Unknown", "Fields that are") == {each.name: each.refused for each in REFUSED}


def test_fields_that_are_refused():
    assert all(f"`{field}`" in PAGE for field in MEANINGLESS)


def test_other_services():
    assert all(name in PAGE for name in (*STS_ACTIONS, *IAM_ACTIONS, *READS))
