"""What is served has rules, columns of its own, and a row in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grandstand.api import rules, tables
from grandstand.api.discovery import SUBRESOURCES
from grandstand.kinds.resources import RESOURCES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "kubernetes-api.md"


def served() -> dict[str, set[str]]:
    """Group version -> kinds, of the first table of the reference."""
    rows = re.findall(r"^\|.*?`([a-z0-9./]+)` \| (.+) \|$", REFERENCE.read_text().split("\n## ")[0], re.MULTILINE)
    return {version: {kind.strip() for kind in kinds.split(",")} for version, kinds in rows}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.qualified)
class TestEveryResource:
    def test_has_rules(self, resource):
        assert rules.selectable_fields(resource) >= {"metadata.name", "metadata.namespace"}

    def test_has_columns_of_its_own(self, resource):
        table = tables.table(resource, [], resource_version="1", include="None", now=0)
        names = [column["name"] for column in table["columnDefinitions"]]
        assert len(names) > 1
        assert names[1] != "Created At", "that is how a kind without a layout is shown"

    def test_is_in_the_reference(self, resource):
        assert resource.kind in served()[resource.api_version]

    def test_has_subresources_that_discovery_knows(self, resource):
        assert set(resource.subresources) <= SUBRESOURCES.keys()


def test_the_reference_names_no_more_than_is_served():
    assert {(version, kind) for version, kinds in served().items() for kind in kinds} == {
        (resource.api_version, resource.kind) for resource in RESOURCES
    }
