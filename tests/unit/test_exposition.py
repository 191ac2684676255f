"""The text that Prometheus reads."""

from __future__ import annotations

import math

from grandstand.exposition import Family, Histogram, Kind, Sample, exposition, process_families


def test_the_text_format() -> None:
    one = Family("a_total", Kind.COUNTER, "What\nit is.", (Sample(3, {"x": 'say "hi"\\\n'}), Sample(2.5)))
    more = Family("a_total", Kind.COUNTER, "What it is.", (Sample(math.inf, {"y": "z"}),))
    empty = Family("b", Kind.GAUGE, "Nothing.", ())
    assert exposition([one, empty, more]) == (
        "# HELP a_total What\\nit is.\n"
        "# TYPE a_total counter\n"
        'a_total{x="say \\"hi\\"\\\\\\n"} 3\n'
        "a_total 2.5\n"
        'a_total{y="z"} +Inf\n'
    )


def test_a_histogram_counts_up_to_each_bound() -> None:
    seconds = Histogram("t", "Time.", (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7):
        seconds.observe(value, verb="get")
    assert exposition([seconds.family()]).splitlines()[2:] == [
        't_bucket{verb="get",le="0.1"} 2',
        't_bucket{verb="get",le="1"} 3',
        't_bucket{verb="get",le="+Inf"} 4',
        't_sum{verb="get"} 7.65',
        't_count{verb="get"} 4',
    ]


def test_this_process_has_used_something() -> None:
    found = {family.name: family.samples[0].value for family in process_families()}
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_resident_memory_bytes"] > 2**20
    assert found["process_open_fds"] >= 3
