"""Function URLs as browsers and clients of AWS meet them: CORS, signatures, events."""

import asyncio
import json
import subprocess

import aiohttp
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from space import eventually
from test_e2e_functions import aws as aws
from test_e2e_functions import function as function
from test_e2e_functions import node_runtime, zipped

ECHO = """
import json
def handler(event, context):
    return {'statusCode': 200, 'headers': {'x-count': '1', 'vary': 'Accept'}, 'body': json.dumps(event)}
"""
STREAMING = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('a'); stream.end('b'); });
"""
PAGE = "https://page.example"
CORS = {
    "AllowOrigins": [PAGE],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["authorization"],
    "ExposeHeaders": ["x-count"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


@pytest.fixture
def echo(aws, function):
    """Makes a function that gives back its event, and its URL."""

    def make(name, code=ECHO, **settings):
        function(name, zipped(app__py=code))
        return aws.create_function_url_config(FunctionName=name, **settings)["FunctionUrl"]

    return make


def curl(engine, url, *options, path="/", sent=b""):
    """Status, headers (lists, by names in lower case) and body of an answer; waits until the URL is known."""
    host = url.split("//")[1].rstrip("/")
    command = ["curl", "-s", "-i", "--max-time", "30", "-H", f"Host: {host}", *options, f"{engine.gateway}{path}"]

    def asked():
        said = subprocess.run(command, capture_output=True, check=True, input=sent).stdout
        while said.startswith(b"HTTP/1.1 1"):
            said = said.partition(b"\r\n\r\n")[2]
        return None if b"No function has this URL" in said else said

    head, _, body = eventually(asked, "the URL is known").partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {}
    for name, _, value in (line.partition(": ") for line in lines):
        headers.setdefault(name.lower(), []).append(value)
    return int(status.split()[1]), headers, body


def said_of_cors(headers):
    return {name: value for name, value in headers.items() if name.startswith("access-control-") or name == "vary"}


def test_a_preflight_is_answered_without_the_function(aws, engine, echo):
    url = echo("cors", AuthType="NONE", Cors=CORS)
    wanted = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: GET")
    status, headers, body = curl(engine, url, *wanted, "-H", f"Origin: {PAGE}")
    assert (status, body) == (200, b"")
    assert said_of_cors(headers) == {
        "vary": ["Origin"],
        "access-control-allow-origin": [PAGE],
        "access-control-allow-credentials": ["true"],
        "access-control-allow-headers": ["authorization"],
        "access-control-allow-methods": ["GET,POST"],
        "access-control-max-age": ["60"],
    }
    status, headers, _ = curl(engine, url, *wanted, "-H", "Origin: https://evil.example")
    assert (status, said_of_cors(headers)) == (200, {"vary": ["Origin"]})

    status, headers, body = curl(engine, url, "-H", f"Origin: {PAGE}")
    assert (status, json.loads(body)["requestContext"]["http"]["method"]) == (200, "GET")
    assert said_of_cors(headers) == {
        "vary": ["Accept", "Origin"],
        "access-control-allow-origin": [PAGE],
        "access-control-allow-credentials": ["true"],
        "access-control-expose-headers": ["x-count"],
    }
    assert said_of_cors(curl(engine, url)[1]) == {"vary": ["Accept", "Origin"]}

    aws.update_function_url_config(FunctionName="cors", Cors={})
    eventually(lambda: b'"OPTIONS"' in curl(engine, url, *wanted)[2], "the function answers OPTIONS itself")


def test_what_is_refused_tells_browsers_why_too(aws, engine, echo):
    url = echo("cors-throttled", AuthType="NONE", Cors={"AllowOrigins": ["*"]})
    aws.put_function_concurrency(FunctionName="cors-throttled", ReservedConcurrentExecutions=0)

    def throttled():
        status, headers, _ = curl(engine, url, "-H", f"Origin: {PAGE}")
        return status == 429 and headers

    headers = eventually(throttled, "requests are refused")
    assert headers["access-control-allow-origin"] == ["*"]


def test_a_body_that_waits_for_continue_is_taken(engine, echo):
    url = echo("cors-continue", AuthType="NONE", Cors=CORS)
    sent = ("-H", f"Origin: {PAGE}", "-H", "Expect: 100-continue", "-H", "Content-Type: text/plain", "-d", "hello")
    status, headers, body = curl(engine, url, *sent)
    assert (status, json.loads(body)["body"]) == (200, "hello")
    assert headers["access-control-allow-origin"] == [PAGE]


def test_a_stream_says_it_too(aws, engine, function):
    name = function("cors-stream", zipped(index__js=STREAMING), runtime=node_runtime(), handler="index.handler")
    settings = {"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM", "Cors": CORS}
    url = aws.create_function_url_config(FunctionName=name, **settings)["FunctionUrl"]
    status, headers, body = curl(engine, url, "-H", f"Origin: {PAGE}")
    assert (status, body, headers["access-control-allow-origin"]) == (200, b"ab", [PAGE])


def test_kubectl_sets_cors_without_a_warning(engine, echo):
    url = echo("cors-kubectl", AuthType="NONE")
    patch = json.dumps({"spec": {"url": {"cors": {"allowOrigins": [PAGE]}}}})
    done = engine.kubectl("patch", "function", "cors-kubectl", "--type", "merge", "-p", patch)
    assert done.stderr == ""

    def allowed():
        return curl(engine, url, "-H", f"Origin: {PAGE}")[1].get("access-control-allow-origin") == [PAGE]

    eventually(allowed, "the page may ask")


@pytest.fixture(scope="module")
def key(engine):
    saved = json.loads((engine.data / "functions/access-key.json").read_text())
    return Credentials(saved["access_key_id"], saved["secret_access_key"])


def signed(key, url, method="GET", body=b"", path="/", service="lambda"):
    """Options of curl that sign a request as botocore does."""
    request = AWSRequest(method, url.rstrip("/") + path, data=body, headers={"Content-Type": "text/plain"})
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    options = ["-X", method] + (["--data-binary", "@-"] if body else [])
    return [*options, *(word for name, value in request.headers.items() for word in ("-H", f"{name}: {value}"))]


def test_a_url_of_aws_iam_is_for_those_who_sign(engine, echo, key):
    url, path = echo("iam", AuthType="AWS_IAM"), "/a%20b/c?x=1&y=%2F&x=2"
    spoofed = ("-H", 'grandstand-iam: {"accessKey": "other"}')
    status, _, body = curl(engine, url, *signed(key, url, path=path), *spoofed, path=path)
    event = json.loads(body)
    assert (status, event["rawQueryString"]) == (200, "x=1&y=%2F&x=2")
    account = "000000000000"
    assert event["requestContext"]["accountId"] == account
    assert event["requestContext"]["authorizer"]["iam"] == {
        "accessKey": key.access_key,
        "accountId": account,
        "callerId": account,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{account}:root",
        "userId": account,
    }

    status, headers, body = curl(engine, url, *spoofed)
    assert (status, headers["x-amzn-errortype"]) == (403, ["AccessDeniedException"])
    assert json.loads(body)["Message"].startswith("Forbidden")
    stranger = Credentials(key.access_key, "other")
    status, headers, body = curl(engine, url, *signed(stranger, url))
    assert (status, headers["x-amzn-errortype"]) == (403, ["InvalidSignatureException"])
    assert "does not match" in json.loads(body)["Message"]
    assert curl(engine, url, *signed(key, url, service="s3"))[0] == 403
    assert curl(engine, url, *signed(key, url), path="/other")[0] == 403


@pytest.mark.parametrize("framing", [(), ("-H", "Transfer-Encoding: chunked")], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [5, 4_000_000])
def test_a_signed_body_is_what_was_signed(engine, aws, echo, key, size, framing):
    code = "def handler(event, context):\n    return len(event['body'])\n"
    url = echo(f"iam-body-{size}-{len(framing)}", code, AuthType="AWS_IAM")
    body = b"x" * size
    options = [*signed(key, url, "POST", body), *framing]
    status, _, said = curl(engine, url, *options, sent=body)
    assert (status, said) == (200, str(size).encode())
    assert curl(engine, url, "--data-binary", "@-", *framing, sent=body)[0] == 403
    status, headers, _ = curl(engine, url, *options, sent=b"y" * size)
    assert (status, headers["x-amzn-errortype"]) == (403, ["InvalidSignatureException"])


def test_a_presigned_address_is_let_in_too(engine, echo, key):
    url = echo("iam-presigned", AuthType="AWS_IAM")
    request = AWSRequest("GET", url)
    SigV4QueryAuth(key, "lambda", "us-east-1", expires=60).add_auth(request)
    status, _, body = curl(engine, url, path="/" + request.url.removeprefix(url))
    assert status == 200, body


def test_browsers_ask_ahead_without_a_signature(engine, echo, key):
    url = echo("iam-cors", AuthType="AWS_IAM", Cors=CORS)
    status, headers, _ = curl(engine, url, "-X", "OPTIONS", "-H", f"Origin: {PAGE}")
    assert (status, headers["access-control-allow-origin"]) == (200, [PAGE])
    status, headers, _ = curl(engine, url, "-H", f"Origin: {PAGE}")
    assert (status, headers["access-control-allow-origin"]) == (403, [PAGE])
    status, headers, _ = curl(engine, url, *signed(key, url), "-H", f"Origin: {PAGE}")
    assert (status, headers["access-control-allow-origin"]) == (200, [PAGE])


async def ask(port, headers):
    url = f"http://127.0.0.1:{port}/"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def test_aiohttp_is_let_in_with_what_botocore_signed(engine, echo, key):
    url = echo("iam-aiohttp", AuthType="AWS_IAM")
    curl(engine, url)
    request = AWSRequest("GET", url)
    SigV4Auth(key, "lambda", "us-east-1").add_auth(request)
    headers = {**request.headers, "Host": url.split("//")[1].rstrip("/")}
    status, event = asyncio.run(ask(engine.gateway.rpartition(":")[2], headers))
    assert (status, event["requestContext"]["authorizer"]["iam"]["accessKey"]) == (200, key.access_key)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("application/json", ("a=%C3%BC", False)),
        ("application/x-www-form-urlencoded", ("YT0lQzMlQkM=", True)),
        ("application/octet-stream", ("YT0lQzMlQkM=", True)),
    ],
    ids=["json", "form", "bytes"],
)
def test_an_event_is_what_aws_sends(engine, echo, kind, shown):
    url = echo(f"event-{kind[-4:]}", AuthType="NONE")
    options = ("--path-as-is", "-H", f"Content-Type: {kind}", "-H", "Cookie: a=1; b=2", "--data-binary", "@-")
    status, _, body = curl(engine, url, *options, path="/a%20b/%2Fc?x=%2B&x=2", sent=b"a=%C3%BC")
    event = json.loads(body)
    assert status == 200
    assert (event["body"], event["isBase64Encoded"]) == shown
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b/%2Fc", "x=%2B&x=2")
    assert (event["queryStringParameters"], event["cookies"]) == ({"x": "+,2"}, ["a=1", "b=2"])
    assert (event["requestContext"]["accountId"], "authorizer" in event["requestContext"]) == ("anonymous", False)
