import io
from pathlib import Path

import pytest
from rich.console import Console

from gmdwgf.tracking import ProgressSink, RunHeader

RUN = RunHeader("abc", "kl [seed=0]", Path("."), {}, n_steps=4000, floor={"mmd2": (1e-5, 2e-5)})


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def page():
    return io.StringIO()


@pytest.fixture
def sink(clock, page):
    return ProgressSink(10.0, Console(file=page, force_terminal=False, width=40), clock)


def test_a_plain_line_tells_step_pace_time_left_distance_and_velocity(sink, clock, page):
    sink.start(RUN)
    sink.log(0, {"mmd2": 0.25, "v_rms": 1.5})
    clock.now = 20.0
    sink.log(1000, {"mmd2": -1.2e-4, "v_rms": 0.02})
    assert page.getvalue().splitlines() == [
        "kl [seed=0]  0/4000  MMD^2 2.5e-01 (floor 5e-05)  |v| 1.5e+00",
        "kl [seed=0]  1000/4000  50 steps/s  1m00s left  MMD^2 -1.2e-04 (floor 5e-05)  |v| 2.0e-02",
    ]


def test_plain_lines_come_at_records_only_and_at_most_one_in_line_every_seconds(sink, clock, page):
    sink.start(RUN)
    for step in range(0, 3001, 100):
        clock.now = step / 100
        sink.progress(step, {"loss": 1.0})
        if step % 200 == 0:
            sink.log(step, {"mmd2": 0.1})
    steps = [int(line.split("  ")[1].split("/")[0]) for line in page.getvalue().splitlines()]
    assert steps == [0, 1000, 2000, 3000]


def test_the_last_record_is_shown_at_the_end_and_only_once(sink, clock, page):
    sink.start(RUN)
    sink.log(0, {})
    clock.now = 2.0
    sink.log(4000, {})
    sink.finish({})
    sink.finish({})
    assert [line.split("  ")[1] for line in page.getvalue().splitlines()] == ["0/4000", "4000/4000"]


def test_the_pace_of_a_resumed_run_counts_only_its_own_steps(sink, clock, page):
    sink.start(RUN._replace(start_step=3000))
    clock.now = 10.0
    sink.log(3500, {})
    assert "3500/4000  50 steps/s  10s left" in page.getvalue()


def test_a_diverged_run_is_shown_without_an_error(sink, page):
    sink.start(RUN)
    sink.log(0, {"mmd2": float("nan"), "v_rms": float("inf")})
    assert "MMD^2 nan" in page.getvalue()


def test_on_a_terminal_one_bar_moves_and_keeps_the_last_known_distance(clock, page):
    sink = ProgressSink(10.0, Console(file=page, force_terminal=True, width=150, color_system=None), clock)
    sink.start(RUN)
    sink.log(0, {"mmd2": 0.25})
    clock.now = 20.0
    sink.progress(1000, {"v_rms": 0.02})
    sink.finish({})
    (last,) = [line for line in page.getvalue().splitlines() if "1000/4000" in line]
    assert "kl [seed=0]" in last
    assert "1000/4000  50 steps/s  1m00s left  MMD^2 2.5e-01 (floor 5e-05)  |v| 2.0e-02" in last
