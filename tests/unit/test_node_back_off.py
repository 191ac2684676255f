from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grandstand.node.back_off import FORGET_SECONDS, LAST_SECONDS, NONE, BackOff, retry_at, tried


def test_the_first_failure_is_tried_again_at_once() -> None:
    assert retry_at(NONE, 1000.0) == 1000.0


def test_waits_double_up_to_five_minutes() -> None:
    waits, now, back_off = [], 1000.0, NONE
    for _ in range(8):
        back_off = tried(back_off, now)
        now = retry_at(back_off, now + 1)
        waits.append(now - back_off.tried_at - 1)
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(
    ("good_seconds", "wait"), [(599.0, 300.0), (601.0, 0.0)], ids=["not yet forgotten", "ten good minutes"]
)
def test_a_long_good_run_is_forgiven(good_seconds: float, wait: float) -> None:
    back_off = BackOff(LAST_SECONDS, 1000.0)
    assert retry_at(back_off, 1000.0 + good_seconds) == 1000.0 + good_seconds + wait


def test_after_a_good_run_the_waits_begin_anew() -> None:
    assert tried(BackOff(LAST_SECONDS, 1000.0), 1000.0 + FORGET_SECONDS + 1).seconds == 10


@given(st.lists(st.floats(0, 2000), max_size=30))
def test_a_wait_is_never_longer_than_five_minutes(runs: list[float]) -> None:
    now, back_off = 1000.0, NONE
    for seconds in runs:
        back_off = tried(back_off, now)
        failed_at = now + seconds
        now = retry_at(back_off, failed_at)
        assert failed_at <= now <= failed_at + LAST_SECONDS
