"""The pure parts of Lambda's API: names, pages, paths, settings, answers; when a function is ready; access keys."""

from __future__ import annotations

import re
import stat
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.clock import SystemClock
from grandstand.errors import (
    Conflict,
    GrandstandError,
    Invalid,
    NotFound,
    PlatformError,
    ServiceFault,
    TooManyRequests,
    Unavailable,
)
from grandstand.functions import readiness
from grandstand.functions.access_keys import load_or_make
from grandstand.functions.lambda_api import Settings
from grandstand.functions.lambda_api.front import guess, query_of, segments_of
from grandstand.functions.lambda_api.names import Reference, function_arn, parse, parse_layer
from grandstand.functions.lambda_api.operations import find
from grandstand.functions.lambda_api.outcomes import failed, fault_of
from grandstand.functions.lambda_api.pages import page
from grandstand.functions.lambda_api.qualified import all_settings, settings_of, with_setting
from grandstand.functions.signing import SignedRequest
from grandstand.kinds import Function, Object, view
from grandstand.kinds.functions import url_label

SETTINGS = Settings()
ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
SHA = "ab" * 32


@pytest.mark.parametrize(
    ("text", "qualifier", "reference"),
    [
        ("hello", "", Reference("hello")),
        ("hello:live", "", Reference("hello", "live")),
        ("hello", "7", Reference("hello", "7")),
        ("hello:$LATEST", "$LATEST", Reference("hello", "$LATEST")),
        ("function:hello:1", "", Reference("hello", "1")),
        ("000000000000:function:hello", "", Reference("hello")),
        (ARN, "", Reference("hello")),
        (f"{ARN}:live", "live", Reference("hello", "live")),
    ],
)
def test_names_of_functions(text, qualifier, reference):
    assert parse(text, SETTINGS, qualifier) == reference


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a" * 65, "arn:aws:s3:::a", f"{ARN}:a:b", "hello:", "a.b", "ä"])
def test_what_names_no_function(text):
    with pytest.raises(ServiceFault, match="failed to satisfy constraint"):
        parse(text, SETTINGS)


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True), st.sampled_from(["", "$LATEST", "7", "live"]))
def test_an_arn_names_what_it_was_made_of(name, qualifier):
    assert parse(function_arn(SETTINGS, name, qualifier), SETTINGS) == Reference(name, qualifier)


def test_names_of_layers():
    assert parse_layer("deps") == ("deps", "")
    assert parse_layer("arn:aws:lambda:eu-west-1:123456789012:layer:deps:3") == ("deps", "3")
    with pytest.raises(ServiceFault):
        parse_layer("a b")


@given(st.sets(st.text("abc", min_size=1, max_size=3)), st.integers(1, 5))
def test_pages_give_everything_once_and_in_order(items, size):
    seen: list[str] = []
    marker = ""
    while True:
        shown, marker = page(items, str, marker, str(size))
        assert len(shown) <= size
        seen += shown
        if not marker:
            break
    assert seen == sorted(items)


@pytest.mark.parametrize("size", ["0", "-1", "x", "10001", "9" * 30, "²"])
def test_sizes_of_pages_that_are_refused(size):
    with pytest.raises(ServiceFault):
        page(["a"], str, "", size)


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("POST", "/2015-03-31/functions", "CreateFunction", {}),
        ("POST", "/2015-03-31/functions/", "CreateFunction", {}),
        ("GET", "/2015-03-31/functions/a%3Ab", "GetFunction", {"FunctionName": "a:b"}),
        ("GET", "/2015-03-31/functions/a/policy", "GetPolicy", {"FunctionName": "a"}),
        ("DELETE", "/2015-03-31/functions/a/policy/s", "RemovePermission", {"FunctionName": "a", "StatementId": "s"}),
        ("GET", "/2021-10-31/functions/a/urls", "ListFunctionUrlConfigs", {"FunctionName": "a"}),
        ("GET", "/2020-04-22/code-signing-configs", "ListCodeSigningConfigs", {}),
    ],
)
def test_operations_by_their_paths(method, path, name, parameters):
    found = find(method, segments_of(path))
    assert found is not None
    assert (found[0].name, found[1]) == (name, parameters)


def test_paths_of_no_operation():
    for method, path in (("GET", "/"), ("PATCH", "/2015-03-31/functions"), ("GET", "/2015-03-31/functions/a/b/c/d")):
        assert find(method, segments_of(path)) is None


def test_fields_that_are_given_several_times():
    assert query_of("tagKeys=a&tagKeys=b&Marker=&x=%20") == {"tagKeys": "a\nb", "Marker": "", "x": " "}


@pytest.mark.parametrize(
    ("headers", "body", "service"),
    [
        ([], b"", "lambda"),
        ([("X-Amz-Target", "Logs_20140328.GetLogEvents")], b"{}", "logs"),
        ([("X-Amz-Target", "AmazonSQS.SendMessage")], b"{}", "sqs"),
        ([("Content-Type", "application/x-www-form-urlencoded")], b"Action=A&Version=2012-11-05", "sqs"),
        ([("Content-Type", "application/x-www-form-urlencoded")], b"Action=A&Version=2011-06-15", "sts"),
        ([("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], b"Version=2010-05-08", "iam"),
        ([("Content-Type", "application/json")], b"Version=2010-05-08", "lambda"),
    ],
)
def test_which_service_is_meant(headers, body, service):
    assert guess(SignedRequest("POST", "/", "", headers, body)) == service


ALIASES = st.from_regex(r"(?![0-9]+$)[A-Za-z0-9_-]{1,128}", fullmatch=True) | st.just("")
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)


@given(NAMES, ALIASES, NAMES, ALIASES)
def test_every_function_and_alias_has_a_host_of_its_own(name, alias, other, other_alias):
    label = url_label(name, alias)
    assert re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label)
    assert (label == url_label(other, other_alias)) == ((name, alias) == (other, other_alias))


def test_hosts_of_functions():
    assert url_label("hello") == "hello"
    assert url_label("hello", "live") == "hello--live"
    assert url_label("hello--live").startswith("hello-live-u-")
    assert len(url_label("a" * 63, "live")) <= 63


def function(**spec: Any) -> Object:
    return {"metadata": {"name": "hello", "namespace": "default", "uid": "u", "generation": 2}, "spec": spec}


def test_settings_of_qualifiers():
    url = {"authType": "NONE"}
    first = {"spec": with_setting({"spec": {"functionName": "a"}}, "", "url", url)}
    both = {"spec": with_setting(first, "live", "url", url)}
    assert both["spec"] == {"functionName": "a", "url": url, "qualified": {"live": {"url": url}}}
    assert settings_of(both, "live") == {"url": url}
    assert settings_of(both, "$LATEST")["url"] == url
    assert settings_of(both, "other") == {}
    assert list(all_settings(both, "url")) == [("$LATEST", url), ("live", url)]
    assert with_setting(both, "live", "url", None) == first["spec"]
    assert with_setting(first, "$LATEST", "url", None) == {"functionName": "a"}


@pytest.mark.parametrize(
    ("error", "name", "status"),
    [
        (Invalid("x"), "InvalidParameterValueException", 400),
        (NotFound("x"), "ResourceNotFoundException", 404),
        (Conflict("x"), "ResourceConflictException", 409),
        (TooManyRequests(), "TooManyRequestsException", 429),
        (Unavailable(), "ServiceException", 503),
        (PlatformError(), "ServiceException", 503),
        (GrandstandError(), "ServiceException", 500),
    ],
)
def test_errors_of_the_platform(error, name, status):
    fault = fault_of(error)
    assert (fault.error, fault.status) == (name, status)
    outcome = failed("lambda", fault, "id")
    said = msgspec.json.decode(outcome.body)
    assert (outcome.status, outcome.headers["x-amzn-errortype"]) == (status, name)
    assert said["Message"] == said["message"] == error.message
    assert said["Type"] == ("User" if status < 500 else "Service")


def test_errors_in_the_query_protocol_are_escaped():
    outcome = failed("sts", ServiceFault("InvalidSignatureException", "<a & b>", 403), "id")
    assert b"<Code>SignatureDoesNotMatch</Code><Message>&lt;a &amp; b&gt;</Message>" in outcome.body


def status_after(obj: Object, missing: list[str], now: float = 1_800_000_000.0) -> Object | None:
    wanted = view(Function, obj)
    problem = readiness.problem_of(wanted, lambda digest: digest not in missing, None)
    actions = readiness.reconcile(wanted, readiness.Seen(problem, now))
    assert len(actions) <= 1
    return actions[0].patch["status"] if actions else None


def told(obj: Object, missing: list[str]) -> Object:
    """The object with the status that it is given; None takes a field away."""
    status = status_after(obj, missing) or {}
    return {**obj, "status": {key: value for key, value in status.items() if value is not None}}


class TestReadiness:
    NEW = function(functionName="hello", code={"sha256": SHA})

    def test_a_function_whose_code_is_here_is_active(self):
        status = status_after(self.NEW, [])
        assert (status["state"], status["lastUpdateStatus"], status["observedGeneration"]) == (
            "Active",
            "Successful",
            2,
        )
        assert status["lastModified"] == "2027-01-15T08:00:00Z"
        assert status["codeSha256"].endswith("=")

    def test_one_whose_code_is_not_has_failed_and_says_so(self):
        status = status_after(self.NEW, [SHA])
        assert (status["state"], status["lastUpdateStatus"]) == ("Failed", "Failed")
        assert "upload it again" in status["stateReason"]

    def test_what_is_said_is_not_said_again(self):
        for missing in ([], [SHA]):
            assert status_after(told(self.NEW, missing), missing, 1_900_000_000.0) is None

    def test_code_that_comes_back_makes_it_active_without_changing_its_time(self):
        status = status_after(told(self.NEW, [SHA]), [], 1_900_000_000.0)
        assert (status["state"], status["stateReason"]) == ("Active", None)
        assert "lastModified" not in status

    def test_an_image_needs_no_code(self):
        assert status_after(function(functionName="hello", code={"image": "hello:1"}), [])["state"] == "Active"


class TestAccessKeys:
    def test_a_key_is_made_once_and_only_its_owner_reads_it(self, tmp_path):
        path = tmp_path / "access-key.json"
        made = load_or_make(path, SystemClock())
        assert load_or_make(path, SystemClock()) == made
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert made.access_key_id.startswith("AKIA")
        assert len(made.access_key_id) == 20
        assert len(made.secret) >= 40
        assert made.secret not in repr(made)

    def test_a_broken_file_says_what_to_do(self, tmp_path):
        path = tmp_path / "access-key.json"
        path.write_text("{")
        with pytest.raises(PlatformError, match="delete it"):
            load_or_make(path, SystemClock())
