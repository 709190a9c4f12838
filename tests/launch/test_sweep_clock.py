import pytest

from gmdwgf.launch.reporter import Reporter
from gmdwgf.launch.sweep_clock import SweepClock, current

KL, MMD = ["dataset=circles", "+drift=kl", "seed=0"], ["+drift=mmd", "dataset=circles"]


def clock_of(jobs, ends):
    """A clock over jobs whose ends are at the given times, after a start at 0."""
    times = iter([0.0, *ends])
    return SweepClock(jobs, lambda: next(times))


def test_the_jobs_left_of_a_drift_take_the_mean_time_of_those_that_have_ended():
    clock = clock_of([KL, KL, KL, KL, MMD, MMD], [2.0, 6.0, 16.0])
    assert clock.remaining() is None
    clock.end(KL, has_run=True)
    assert clock.remaining() == pytest.approx(3 * 2 + 2 * 2)  # nothing is known of mmd
    clock.end(KL, has_run=True)
    clock.end(MMD, has_run=True)
    assert clock.n_left == 3
    assert clock.remaining() == pytest.approx(2 * 3 + 1 * 10)


def test_skipped_jobs_take_no_time():
    clock = clock_of([KL, KL, KL], [0.1, 5.1])
    clock.end(KL, has_run=False)
    assert clock.remaining() is None
    clock.end(KL, has_run=True)
    assert clock.remaining() == pytest.approx(5)


def test_times_of_jobs_that_run_at_once_add_up():
    clock = clock_of([KL] * 4, [10.0, 10.0, 10.0])
    for _ in range(3):
        clock.end(KL, has_run=True)
    assert clock.remaining() == pytest.approx(10 / 3)


def test_a_job_that_ends_says_how_long_the_whole_sweep_takes_if_it_is_a_minute_or_more(capsys):
    token = current.set(clock_of([KL, KL, KL], [100.0, 110.0, 120.0]))
    try:
        for number in range(3):
            Reporter(number, KL).failed(None, ValueError("of this test"))
    finally:
        current.reset(token)
    told = [line for line in capsys.readouterr().out.splitlines() if "jobs have ended" in line]
    assert told == ["1 of 3 jobs have ended, about 3m20s left in all"]  # then 55 s, then nothing
