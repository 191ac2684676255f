"""`grandstand bill` against a real engine: what boto3 has invoked is counted, also when the engine was killed."""

import json

from aws import client_of
from conftest import start
from space import eventually
from test_e2e_functions import PYTHON, ROLE, invoke, zipped


def bill(place, *arguments):
    return json.loads(place.grandstand("bill", "-o", "json", *arguments).stdout)


def requests(place):
    return {line["function"]: line["requests"] for line in bill(place)["functions"]}


def test_what_was_invoked_is_billed_once_whatever_happens_to_the_engine(other_data):
    place = start(other_data)
    assert bill(place)["totalUSD"] == "0.00"
    assert "USD 0.00" in place.grandstand("bill").stdout
    aws = client_of(place, "lambda")
    code = {"ZipFile": zipped(app__py=PYTHON)}
    aws.create_function(FunctionName="counted", Runtime="python3.11", Role=ROLE, Handler="app.handler", Code=code)
    aws.get_waiter("function_active_v2").wait(FunctionName="counted", WaiterConfig={"Delay": 1})
    for _ in range(7):
        invoke(aws, "counted")
    eventually(lambda: requests(place) == {"counted": 7}, "all are counted")
    (row,) = bill(place)["days"]
    assert (row["function"], row["version"], row["requests"]) == ("counted", "$LATEST", 7)
    assert row["billedMilliseconds"] >= 7
    assert row["gbSeconds"] == row["billedMilliseconds"] / 1000 * 128 / 1024

    invoke(aws, "counted")
    eventually(lambda: requests(place) == {"counted": 8}, "the page has it")
    place.crash()
    assert requests(place) == {"counted": 8}
    place = place.start()
    assert requests(place) == {"counted": 8}

    aws = client_of(place, "lambda")
    invoke(aws, "counted")
    aws.delete_function(FunctionName="counted")
    live = place.data / "functions/metering/live"
    eventually(lambda: not list(live.iterdir()), "the instance of the deleted function has ended")
    assert requests(place) == {"counted": 9}
    assert bill(place, "--month", "2020-01")["requests"] == 0
    wrong = place.grandstand("bill", "--month", "May", check=False)
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "error: --month 'May' is no month: write year and month, e.g. 2026-11.\n",
    )
