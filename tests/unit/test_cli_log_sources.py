"""Which containers are meant by `grandstand logs`, and for how long back."""

import click
import pytest

from grandstand.cli.log_sources import Source, check_streams, sources_of
from grandstand.cli.logs import Duration, Time
from grandstand.errors import BadRequest

ONE = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}
TWO = {
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]},
}
CHOSEN = TWO | {"metadata": {"name": "p", "annotations": {"kubectl.kubernetes.io/default-container": "b"}}}
NOTE = 'Defaulted container "a" out of: a, b, i (init)'


@pytest.mark.parametrize(
    ("pod", "container", "everything", "names", "note"),
    [
        (ONE, "", False, ["a"], ""),
        (TWO, "", False, ["a"], NOTE),
        (TWO, "i", False, ["i"], ""),
        (TWO, "", True, ["i", "a", "b"], ""),
        (CHOSEN, "", False, ["b"], ""),
    ],
    ids=["the only one", "the first", "named", "all", "by annotation"],
)
def test_containers(pod, container, everything, names, note):
    assert sources_of(pod, container, everything=everything) == ([Source("p", name) for name in names], note)


def test_a_container_that_is_not_there_is_refused():
    with pytest.raises(BadRequest, match="container x is not in pod p: it has a, b, i"):
        sources_of(TWO, "x", everything=False)


def test_more_logs_than_allowed_are_not_followed():
    check_streams([Source("p", "a")] * 5, 5)
    with pytest.raises(BadRequest, match="6 log streams, but maximum allowed concurrency is 5"):
        check_streams([Source("p", "a")] * 6, 5)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("1h1m1s", 3661)])
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1h x", "-1s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


def test_times():
    assert Time().convert("2026-11-27T09:30:00Z", None, None) == "2026-11-27T09:30:00Z"
    with pytest.raises(click.BadParameter):
        Time().convert("yesterday", None, None)
