"""Functions, as a user of AWS meets them: boto3 by endpoint URL alone, curl for their URLs, kubectl beside it."""

import io
import json
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest
from aws import client_of, port_of
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import GRANDSTAND, start
from space import eventually

ROLE = "arn:aws:iam::000000000000:role/any"
NODE = "exports.handler = async (event) => { return { statusCode: 200, body: 'Hello from Serverless!' }; };"
PYTHON = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'Hello from Serverless!'}\n"


def zipped(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("__", "."))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return content.getvalue()


@pytest.fixture(scope="module")
def aws(engine):
    return client_of(engine, "lambda", config=Config(retries={"max_attempts": 0}, max_pool_connections=50))


@pytest.fixture
def function(aws, request):
    """Makes functions that are gone after the test."""
    made = []

    def make(name, code, *, runtime="python3.11", handler="app.handler", **settings):
        aws.create_function(
            FunctionName=name, Runtime=runtime, Role=ROLE, Handler=handler, Code={"ZipFile": code}, **settings
        )
        made.append(name)
        aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    yield make
    for name in made:
        aws.delete_function(FunctionName=name)


def invoke(aws, name, event=None, **settings):
    answer = aws.invoke(FunctionName=name, Payload=json.dumps(event), **settings)
    return answer, json.loads(answer["Payload"].read())


def node_runtime():
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return f"nodejs{said[1:].split('.')[0]}.x"


def ask(engine, url, *options):
    host = url.split("//")[1].rstrip("/")
    command = ["curl", "-s", "-i", "-H", f"Host: {host}", *options, f"{engine.gateway}/"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("language", ["python", "node"])
def test_the_handler_of_the_mission(aws, engine, function, language):
    if language == "node":
        name = function("mission-node", zipped(index__js=NODE), runtime=node_runtime(), handler="index.handler")
    else:
        name = function("mission-python", zipped(app__py=PYTHON))
    answer, result = invoke(aws, name, {}, LogType="Tail")
    assert (answer["StatusCode"], answer.get("FunctionError"), answer["ExecutedVersion"]) == (200, None, "$LATEST")
    assert result == {"statusCode": 200, "body": "Hello from Serverless!"}
    assert answer["LogResult"]
    url = aws.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    said = eventually(lambda: (text := ask(engine, url)).startswith("HTTP/1.1 200") and text, "the URL answers")
    assert said.endswith("Hello from Serverless!")


def test_kubectl_shows_and_makes_the_same(aws, engine, function):
    name = function("shown", zipped(app__py=PYTHON))
    assert name in engine.kubectl("get", "functions").stdout
    spec = json.loads(engine.kubectl("get", "function", name, "-o", "json").stdout)["spec"]
    assert (spec["functionName"], spec["handler"], spec["runtime"]) == (name, "app.handler", "python3.11")


def test_a_new_version_takes_over_without_a_lost_invocation(aws, function):
    name = function("taken-over", zipped(app__py="def handler(event, context):\n    return 1\n"))
    seen, failed, stop = [], [], threading.Event()

    def load():
        while not stop.is_set():
            try:
                seen.append(invoke(aws, name)[1])
            except Exception as error:
                failed.append(error)

    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        eventually(lambda: seen.count(1) > 20, "the first version answers")
        aws.update_function_code(
            FunctionName=name, ZipFile=zipped(app__py="def handler(event, context):\n    return 2\n")
        )
        eventually(lambda: seen.count(2) > 20, "the second version answers")
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert failed == []
    assert set(seen[-10:]) == {2}


def test_a_burst_from_zero_is_answered_and_goes_to_many_instances(aws, function):
    code = (
        "import uuid, time\nID = str(uuid.uuid4())\ndef handler(event, context):\n    time.sleep(0.3)\n    return ID\n"
    )
    name = function("burst", zipped(app__py=code), Timeout=30)
    answers = []
    clients = [threading.Thread(target=lambda: answers.append(invoke(aws, name)[1])) for _ in range(20)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(answers) == 20
    assert len(set(answers)) > 5


def test_beyond_the_reserved_concurrency_it_is_too_much(aws, function):
    name = function("throttled", zipped(app__py=PYTHON))
    aws.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    def refused():
        try:
            invoke(aws, name)
        except ClientError as error:
            return error.response["Error"]["Code"] == "TooManyRequestsException"
        return False

    eventually(refused, "invocations are refused")


@pytest.mark.parametrize(
    ("operation", "settings"),
    [
        ("create_event_source_mapping", {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders"}),
        ("put_function_event_invoke_config", {"MaximumRetryAttempts": 1}),
        ("put_provisioned_concurrency_config", {"Qualifier": "live", "ProvisionedConcurrentExecutions": 1}),
        ("invoke", {"InvocationType": "Event"}),
    ],
    ids=["mapping", "events", "provisioned", "event"],
)
def test_what_nothing_acts_on_is_refused(aws, function, operation, settings):
    name = function(f"refused-{operation.replace('_', '-')}-{len(settings)}", zipped(app__py=PYTHON))
    with pytest.raises(ClientError, match="not supported by"):
        getattr(aws, operation)(FunctionName=name, **settings)


def test_a_runtime_that_is_not_here_is_a_state_with_its_reason(aws):
    settings = {"Runtime": "provided.al2023", "Role": ROLE, "Handler": "x", "Code": {"ZipFile": zipped(bootstrap="x")}}
    aws.create_function(FunctionName="provided", **settings)
    try:
        said = eventually(
            lambda: (it := aws.get_function_configuration(FunctionName="provided"))["State"] == "Failed" and it,
            "the function has failed",
        )
        assert "This machine has no runtime provided.al2023: it has python3" in said["StateReason"]
        with pytest.raises(ClientError, match="Failed"):
            invoke(aws, "provided")
    finally:
        aws.delete_function(FunctionName="provided")


def test_kubectl_warns_of_what_nothing_acts_on(engine, space):
    trigger = {
        "apiVersion": "grandstand.dev/v1alpha1",
        "kind": "FunctionTrigger",
        "metadata": {"name": "hourly"},
        "spec": {"functionName": "hello", "schedule": {"expression": "rate(1 hour)"}},
    }
    done = engine.kubectl("--namespace", space.name, "apply", "-f", "-", input=json.dumps(trigger))
    assert "nothing serves FunctionTriggers yet" in done.stderr


FORK_BOMB = """
import os
def handler(event, context):
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
BAD = {
    "missing handler": ({"app__py": "x = 1\n"}, "Runtime.HandlerNotFound", "Handler 'handler' missing"),
    "syntax error": ({"app__py": "def handler(:\n"}, "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
    "missing module": ({"other__py": "x = 1\n"}, "Runtime.ImportModuleError", "Unable to import module 'app'"),
    "raises": ({"app__py": "def handler(e, c):\n    raise KeyError('gone')\n"}, "KeyError", "gone"),
    "exits": (
        {"app__py": "import os\ndef handler(e, c):\n    os._exit(7)\n"},
        "Runtime.ExitError",
        "Runtime exited with error: exit status 7",
    ),
    "endless loop": ({"app__py": "def handler(e, c):\n    while True: pass\n"}, "Sandbox.Timedout", "Task timed out"),
    "memory hog": (
        {"app__py": "def handler(e, c):\n    held = [bytearray(1 << 20) for _ in range(4096)]\n"},
        "Runtime.ExitError",
        "signal: killed",
    ),
    "fork bomb": (
        {"app__py": FORK_BOMB},
        "Sandbox.Timedout|Runtime.ExitError",  # its processes may also need more memory than there is
        "RequestId",
    ),
}


@pytest.mark.parametrize("bad", BAD, ids=[name.replace(" ", "-") for name in BAD])
def test_what_goes_wrong_is_told_as_lambda_does_and_harms_nobody(aws, function, bad):
    files, error_type, message = BAD[bad]
    neighbour = function(f"good-{bad.replace(' ', '-')}", zipped(app__py=PYTHON))
    name = function(f"bad-{bad.replace(' ', '-')}", zipped(**files), Timeout=2)
    answer, result = invoke(aws, name)
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert result["errorType"] in error_type.split("|"), result
    assert message in result["errorMessage"]
    assert invoke(aws, neighbour)[1]["statusCode"] == 200
    assert invoke(aws, name)[1]["errorType"] in error_type.split("|")


def test_an_instance_has_seeds_of_its_own_and_shares_nothing(aws, function):
    code = (
        "import os, random, time, uuid, tempfile, json\n"
        "seen = [random.random(), str(uuid.uuid4()), tempfile.mktemp(), os.urandom(8).hex()]\n"
        "def handler(event, context):\n"
        "    time.sleep(0.3)\n"
        "    paths = [f'/proc/self/fd/{n}' for n in os.listdir('/proc/self/fd') if int(n) > 2]\n"
        "    sockets = [p for p in paths if os.path.lexists(p) and os.readlink(p).startswith('socket')]\n"
        "    return {'seen': seen, 'sockets': sockets,\n"
        "            'host': sorted(k for k in os.environ if k.startswith('GRANDSTAND')), 'uid': os.getuid()}\n"
    )
    name = function("seeds", zipped(app__py=code), Timeout=10)
    answers = []
    clients = [threading.Thread(target=lambda: answers.append(invoke(aws, name)[1])) for _ in range(2)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    first, second = answers
    assert all(mine != theirs for mine, theirs in zip(first["seen"], second["seen"], strict=True))
    assert (len(first["sockets"]), first["host"], first["uid"]) == (1, [], 65534)  # the one to its supervisor


def test_logs_are_kept_after_the_instance_is_gone(aws, engine, function):
    name = function("logged", zipped(app__py="def handler(event, context):\n    print('said', event)\n"))
    invoke(aws, name, {"a": 1})
    logs = client_of(engine, "logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    said = [event["message"].split(" ")[0].rstrip("\n") for event in events]
    assert said == ["START", "said", "END", "REPORT"]


def test_a_request_that_is_not_signed_is_refused(engine):
    url = f"http://127.0.0.1:{port_of(engine)}/2015-03-31/functions/"
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "403"


def test_functions_are_there_after_the_control_plane_was_killed(other_data):
    place = start(other_data)
    aws = client_of(place, "lambda")
    aws.create_function(
        FunctionName="kept",
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zipped(app__py=PYTHON)},
    )
    aws.get_waiter("function_active_v2").wait(FunctionName="kept", WaiterConfig={"Delay": 1})
    assert invoke(aws, "kept")[1]["statusCode"] == 200
    place.crash()
    again = client_of(place.start(), "lambda")
    assert invoke(again, "kept")[1]["statusCode"] == 200


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_folder_is_deployed_called_read_and_removed(engine, language):
    name = f"hello-{language}"
    folder = Path(__file__).parents[2] / "examples/04-hello-serverless" / language
    said = json.loads(command(engine, "deploy", folder, "--name", name, "-o", "json").stdout)
    assert said["handler"] == {"python": "app.handler", "node": "index.handler"}[language]
    called = command(engine, "invoke", name, "--show-log")
    assert json.loads(called.stdout)["body"] == "Hello from Serverless!"
    assert "REPORT RequestId:" in called.stderr
    assert ask(engine, said["url"]).endswith("Hello from Serverless!")
    assert "REPORT RequestId:" in command(engine, "logs", name).stdout
    assert name in command(engine, "list").stdout
    command(engine, "delete", name)
    gone = command(engine, "invoke", name, check=False)
    assert (gone.returncode, gone.stderr) == (
        1,
        f"error: Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}\n",
    )


def test_a_deployed_change_is_what_answers_next_and_its_error_is_an_exit_code(engine, tmp_path):
    folder = tmp_path / "changing"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context):\n    return 1\n")
    command(engine, "deploy", folder)
    assert command(engine, "invoke", "changing").stdout == "1\n"
    (folder / "app.py").write_text("def handler(event, context):\n    raise ValueError('two')\n")
    command(engine, "deploy", folder)
    failed = command(engine, "invoke", "changing", check=False)
    assert (failed.returncode, json.loads(failed.stdout)["errorMessage"]) == (1, "two")
    command(engine, "delete", "changing")


def command(engine, verb, *arguments, check=True):
    given = ["function", verb, *arguments, "--data", engine.data]
    done = subprocess.run([GRANDSTAND, *map(str, given)], capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, done.stderr
    return done
