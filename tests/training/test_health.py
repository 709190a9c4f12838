"""What ends a run as diverged, one bad number among many good ones, and where a chunk of steps ends."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags
from gmdwgf.training.state import TERMS, initial_state
from gmdwgf.training.step import chunk, train_step
from gmdwgf.typing import Scalar


class Spike(StatelessDrift):
    """A drift that moves one coordinate of one particle and leaves the others alone."""

    speed: Scalar

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        return DriftOutput(jnp.zeros_like(x).at[3, 1].set(self.speed), {"v_rms": jnp.zeros(())})

    def tags(self) -> Tags:
        return Tags(zero_at_equality=False, curl_free=True, flow_of=None, reach="local")


@pytest.fixture(scope="module")
def problem():
    target = gmdwgf.load_target("eight_gaussians")
    pieces = {"generator": "particles", "optimizer": "euler", "batch_size": 8, "n_targets": 4}
    return gmdwgf.make_problem(target, Spike(jnp.asarray(0.0)), **pieces)


@pytest.fixture(scope="module")
def start(problem):
    return jax.jit(initial_state)(problem, jax.random.key(0))


@pytest.fixture(scope="module")
def step_from(problem, start):
    """The state after one step from given particles, by the speed of the spike and the divergence radius."""
    one_step = jax.jit(train_step)

    def step(x, speed=0.5, radius=10.0):
        numbers = (jnp.asarray(speed, jnp.float32), jnp.asarray(radius, jnp.float32))
        changed = eqx.tree_at(lambda p: (p.drift.speed, p.divergence_radius), problem, numbers)
        state = eqx.tree_at(lambda s: s.params["x"], start, jnp.asarray(x, jnp.float32))
        return one_step(changed, state)[0]

    return step


def spread(farthest):
    x = np.full((8, 2), 0.25)
    x[5, 0] = -farthest
    return x


@pytest.mark.thorough
def test_a_good_step_moves_the_particles_and_records_nothing(step_from):
    state = step_from(spread(1.0))
    assert (bool(state.health.diverged), int(state.health.term), int(state.step)) == (False, 0, 1)
    moved = spread(1.0)
    moved[3, 1] += 0.5
    np.testing.assert_allclose(state.params["x"], moved, rtol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("farthest", "speed", "term", "value"),
    [
        (1.0, np.inf, "velocity", np.inf),
        (1.0, np.nan, "velocity", np.nan),
        (11.0, 0.5, "position", 11.0),
        (11.0, np.inf, "velocity", np.inf),
        (np.nan, 0.5, "position", np.nan),
        (1.0, 1e30, "loss", np.inf),
    ],
)
def test_one_bad_number_ends_the_run_at_the_state_before_and_is_recorded(step_from, farthest, speed, term, value):
    state = step_from(spread(farthest), speed)
    assert bool(state.health.diverged)
    assert TERMS[int(state.health.term)] == term
    np.testing.assert_array_equal(state.health.value, np.float32(value))
    assert (int(state.step), int(state.health.step)) == (0, 0)
    np.testing.assert_array_equal(state.params["x"], spread(farthest).astype(np.float32))


def test_a_particle_at_the_radius_is_not_beyond_it(step_from):
    assert not bool(step_from(spread(3.0), radius=3.0).health.diverged)
    assert bool(step_from(spread(3.0), radius=2.999).health.diverged)


@pytest.mark.thorough
def test_a_chunk_ends_at_its_size_at_the_stop_and_at_divergence(problem, start):
    go_on = jax.jit(lambda problem, state: chunk(problem, state, jnp.asarray(5), chunk_size=3))
    steps, state = [], start
    for _ in range(3):
        state, logs = go_on(problem, state)
        steps.append(int(state.step))
    assert steps == [3, 5, 5]
    assert all(float(value) == 0 for value in logs.values())  # of no step
    ended, _ = go_on(eqx.tree_at(lambda p: p.divergence_radius, problem, jnp.asarray(1e-6)), start)
    assert (bool(ended.health.diverged), int(ended.step)) == (True, 0)
