"""Further samples of the model, which the training step draws for drifts that ask for them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.training.state import initial_state, purpose
from gmdwgf.training.step import train_step
from tests.training.common import small_problem

KEY = jax.random.key(4)
FIELDS = {"drift": {"epsilon": 0.5, "self_term": "reference", "solver": "ott"}}


START, STEP = jax.jit(initial_state), jax.jit(train_step)


@jax.jit
def output(drift, x, y, references):
    return drift.velocity(x, y, KEY, references=references)


@pytest.mark.thorough
def test_references_are_other_samples_of_the_model_as_many_as_targets():
    problem = small_problem("sinkhorn", changes=FIELDS)
    state = START(problem, KEY)
    _, logs = STEP(problem, state)
    at = lambda name: purpose(KEY, jnp.zeros((), int), name)
    x = problem.generator.sample(state.params, at("noise"), problem.batch_size)
    r = problem.generator.sample(state.params, at("references"), problem.n_targets)
    assert not (np.asarray(x)[:, None] == np.asarray(r)[None]).all(axis=2).any()
    y = problem.target.sample(at("targets"), problem.n_targets)
    expected = output(problem.drift, x, y, r).info["v_rms"]
    np.testing.assert_allclose(logs["v_rms"], expected, rtol=1e-4)


@pytest.mark.thorough
def test_no_gradient_flows_through_the_references():
    """A generator of one parameter, its scale: the gradient is that of the particles towards fixed goals."""
    problem = small_problem("sinkhorn", changes=FIELDS | {"generator": {"depth": 0, "width": None}})
    state = START(problem, KEY)
    at = lambda name: purpose(KEY, jnp.zeros((), int), name)
    y = problem.target.sample(at("targets"), problem.n_targets)
    r = problem.generator.sample(state.params, at("references"), problem.n_targets)
    x_of = lambda params: problem.generator.sample(params, at("noise"), problem.batch_size)
    v = output(problem.drift, x_of(state.params), y, r).v
    goal = x_of(state.params) + problem.eta * v
    gradient = jax.grad(lambda params: jnp.mean(jnp.sum((x_of(params) - goal) ** 2, axis=1)))(state.params)
    norm = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(gradient)))
    np.testing.assert_allclose(STEP(problem, state)[1]["grad_norm"], norm, rtol=1e-4)


@pytest.mark.thorough
def test_free_particles_have_no_references_and_compare_their_halves():
    halves = small_problem(
        "sinkhorn", "particles", "euler", changes={"drift": {"self_term": "two_batch", "solver": "ott"}}
    )
    asked = small_problem(
        "sinkhorn", "particles", "euler", changes={"drift": {"self_term": "reference", "solver": "ott"}}
    )
    one, two = (STEP(problem, START(problem, KEY))[0].params["x"] for problem in (halves, asked))
    np.testing.assert_array_equal(one, two)
