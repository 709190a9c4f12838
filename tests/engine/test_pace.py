"""Chunks cut by a clock that the tests hold."""

import functools
import signal

import jax
import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import gmdwgf
from gmdwgf.config.build import config_dir
from gmdwgf.engine import serial
from gmdwgf.engine.loop import train_all
from gmdwgf.engine.pace import BOUND, GROWTH, Pace
from gmdwgf.engine.serial import SerialExecutor
from gmdwgf.engine.vectorized import VectorizedExecutor
from gmdwgf.launch.active_run import ActiveRun
from gmdwgf.launch.components import build_components
from gmdwgf.launch.execute import execute
from gmdwgf.launch.spec import make_spec
from gmdwgf.training.state import initial_state
from tests.training.common import same_bits, small_problem


def chunks(seconds_a_step, n, compiling=0.0):
    """The steps of `n` chunks in turn, where steps take what `seconds_a_step(step)` says."""
    pace, step, taken = Pace(), 0, []
    for number in range(n):
        seconds = sum(seconds_a_step(step + i) for i in range(pace.n_steps)) + compiling * (number == 0)
        step += pace.n_steps
        taken.append(pace.n_steps)
        pace.update(pace.n_steps, seconds)
    return taken


def test_a_chunk_grows_from_one_step_to_what_fits_into_the_bound():
    assert chunks(lambda step: 1 / 64, 5) == [1, GROWTH, GROWTH**2, 64 * BOUND, 64 * BOUND]


def test_a_step_longer_than_the_bound_is_a_chunk():
    assert chunks(lambda step: 10 * BOUND, 3) == [1, 1, 1]


def test_a_compilation_in_the_first_chunk_is_forgotten():
    assert chunks(lambda step: 1 / 64, 4, compiling=60.0) == [1, 1, GROWTH, GROWTH**2]


def test_chunks_become_short_again_when_steps_become_long():
    taken = chunks(lambda step: 0.001 if step < 1000 else 1.0, 12)
    assert max(taken) <= 1000 + GROWTH**4
    assert taken[-1] == 2


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_clock_that_stands_still_or_goes_backwards_only_lets_the_chunk_grow(seconds):
    pace = Pace()
    pace.update(1, seconds)
    assert pace.n_steps == GROWTH


class FakeClock:
    """Time passes with the steps that are taken, and by nothing else."""

    def __init__(self, monkeypatch, seconds_a_step):
        self.now = 0.0

        def train_chunk(problem, state, stop, *, chunk_size):
            before = int(state.step)
            state, last = real(problem, state, stop, chunk_size=chunk_size)
            self.now += seconds_a_step * (int(state.step) - before)
            return state, last

        real = serial.train_chunk
        monkeypatch.setattr(serial, "train_chunk", train_chunk)

    def __call__(self):
        return self.now


@pytest.mark.slow
def test_one_by_one_no_other_run_begins_once_a_stop_is_asked_for(monkeypatch):
    problems = [small_problem()] * 3
    states = [jax.jit(initial_state)(problems[0], jax.random.key(seed)) for seed in range(3)]
    clock = FakeClock(monkeypatch, 1.0)
    executor = SerialExecutor(problems, states, 100, clock)
    moves = executor.advance(dict.fromkeys(range(3), 4), stopping=lambda: clock() > 5)
    assert {row: (move.step, move.seconds, move.call) for row, move in moves.items()} == {0: (4, 4, 4), 1: (4, 4, 4)}
    assert int(executor.state(2).step) == 0


@pytest.mark.slow
def test_in_parts_no_other_part_begins_once_a_stop_is_asked_for():
    problems = [small_problem(changes={"drift": {"bandwidth": width}}) for width in (0.2, 0.3, 0.5)]
    states = [jax.jit(initial_state)(problem, jax.random.key(0)) for problem in problems]
    times = iter(range(100))
    executor = VectorizedExecutor(problems, states, 10, n_devices=1, memory=1.0, clock=functools.partial(next, times))
    assert len(executor.parts) == 3
    moves = executor.advance(dict.fromkeys(range(3), 2), stopping=lambda: True)
    assert {row: (move.step, move.seconds, move.call) for row, move in moves.items()} == {0: (2, 1, 1)}


RUN = [
    "drift=kl",
    "debug=tiny",
    "training.n_steps=60",
    "training.batch_size=16",
    "generator.width=8",
    "generator.depth=1",
]
RUN += ["training.eval_every=50", "training.checkpoint_every=1000", "training.chunk_size=100000"]
RUN += ["tracking.wandb.mode=disabled", "tracking.progress=false", "devices.n=1"]


def job_in(root):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return make_spec(compose("train", overrides=[*RUN, f"paths.root={root}"]), {})


@pytest.mark.slow
def test_a_signal_is_answered_within_the_bound_whatever_the_chunk_and_changes_no_number(monkeypatch, tmp_path):
    execute(job_in(tmp_path / "whole"), str, str)
    job, clock, said = job_in(tmp_path / "stopped"), FakeClock(monkeypatch, 1 / 4), []
    arriving = {3.1: signal.SIGUSR2, 8.1: signal.SIGHUP}

    def read():  # a signal arrives while a chunk is trained, and is looked at after it
        for moment in [moment for moment in arriving if clock() > moment]:
            signal.raise_signal(arriving.pop(moment))
        return clock()

    for moment, number in list(arriving.items()):
        with job.folder.lock():
            session = ActiveRun(job, build_components(job), said.append, str)
            ((_, result),) = train_all([session.run], functools.partial(serial.SerialExecutor, clock=read))
            session.finish(result)
        assert result.summary["status"] == "interrupted"
        assert result.summary["signal"] == number.name
        assert moment < clock() <= moment + BOUND
        assert list(job.folder.checkpoints.glob(str(result.summary["step"])))
    assert execute(job, said.append, str)["status"] == "done"
    assert sum("resuming at step" in line for line in said) == 2
    whole, stopped = (gmdwgf.load_run(job_in(tmp_path / name).folder.path) for name in ("whole", "stopped"))
    assert same_bits(whole.params, stopped.params)
    np.testing.assert_array_equal(whole.samples, stopped.samples)
