"""Many runs as one program, against the same runs one by one."""

import jax
import numpy as np
import pytest

from gmdwgf.engine.auto import AutoExecutor
from gmdwgf.engine.checkpoints import to_host
from gmdwgf.engine.serial import SerialExecutor
from gmdwgf.engine.vectorized import VectorizedExecutor, signature
from gmdwgf.training.state import initial_state
from tests.training.common import same_bits, small_problem

CHUNK = 10
DIVERGES = 3


@pytest.fixture(scope="module")
def problems():
    """Five runs that differ in traced numbers; one of them leaves its ball at once."""
    changes = [
        {"drift": {"bandwidth": width}, "optimizer": {"learning_rate": 1e-3 * (1 + width)}}
        for width in (0.2, 0.3, 0.5, 0.7, 1.0)
    ]
    changes[DIVERGES]["training"] = {"divergence_radius": 0.05}
    return [small_problem(changes=change) for change in changes]


def fresh(problems):
    return [jax.jit(initial_state)(problem, jax.random.key(seed)) for seed, problem in enumerate(problems)]


@pytest.fixture(scope="module")
def one_by_one(problems):
    """States and last logs after 20 steps, and the first logs."""
    executor = SerialExecutor(problems, fresh(problems), CHUNK)
    first = executor.peek()
    for stop in (10, 20):
        moves = executor.advance(dict.fromkeys(range(5), stop))
    return executor, moves, first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_devices", "memory"), [(1, None), (2, None), (2, 1.0)], ids=["batched", "shared out", "in parts"]
)
def test_runs_as_one_program_are_those_one_by_one_to_rounding(n_devices, memory, problems, one_by_one):
    alone, alone_moves, alone_first = one_by_one
    executor = VectorizedExecutor(problems, fresh(problems), CHUNK, n_devices=n_devices, memory=memory)
    assert len(executor.parts) == (3 if memory else 1)
    first = executor.peek()
    for stop in (10, 20):
        moves = executor.advance(dict.fromkeys(range(5), stop))
    for row in range(5):
        assert moves[row][:2] == alone_moves[row][:2]
        assert first[row] == pytest.approx(alone_first[row], rel=1e-4, abs=1e-6)
        assert moves[row].logs == pytest.approx(alone_moves[row].logs, rel=1e-4, abs=1e-6)
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        jax.tree.map(close, to_host(executor.state(row)), to_host(alone.state(row)))
    assert [move.diverged for move in moves.values()] == [row == DIVERGES for row in range(5)]


@pytest.mark.slow
def test_a_run_without_a_stop_rests(problems):
    executor = VectorizedExecutor(problems, fresh(problems), CHUNK, n_devices=2)
    before = to_host(executor.state(1))
    moves = executor.advance({0: 7, 2: 3, 4: 7})
    assert {row: move.step for row, move in moves.items()} == {0: 7, 2: 3, 4: 7}
    assert same_bits(to_host(executor.state(1)), before)


@pytest.mark.slow
def test_the_faster_way_is_kept_and_said(problems):
    class Slow(SerialExecutor):
        def advance(self, stops, *stopping):
            moves = super().advance(stops, *stopping)
            return {row: move._replace(seconds=move.seconds * self.factor) for row, move in moves.items()}

    for factor, expected in ((100.0, "serial: vectorized is only 0.0 times"), (0.01, "vectorized: ")):
        said = []
        slow = type("Slow", (Slow,), {"factor": factor})
        executor = AutoExecutor(problems, fresh(problems), CHUNK, together=slow, say=said.append)
        executor.one_by_one.first = 0.0  # nothing to compile: any work is worth it
        for stop in (10, 20, 30):
            executor.advance(dict.fromkeys(range(5), stop))
        assert len(said) == 1
        assert said[0].startswith(expected)
        assert isinstance(executor.executor, Slow) == (factor < 1)
        assert [int(executor.state(row).step) for row in (0, 1, 2, 4)] == [30] * 4


def test_runs_with_other_numbers_have_one_signature_and_other_shapes_another(problems):
    assert signature(problems[0]) == signature(problems[4])
    assert signature(problems[0]) != signature(small_problem(changes={"training": {"batch_size": 25}}))
    assert signature(problems[0]) != signature(small_problem(drift="mmd"))
