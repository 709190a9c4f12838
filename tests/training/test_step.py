import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.training import step as step_module
from gmdwgf.training.state import TERMS, initial_state
from gmdwgf.training.step import regression_loss, train_chunk
from tests.training.common import run_steps, same_bits, small_problem


@pytest.mark.thorough
def test_loss_is_eta_squared_times_the_mean_squared_velocity(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    v = gmdwgf.load_drift("kl").velocity(x, y, jax.random.key(0)).v
    np.testing.assert_allclose(
        regression_loss(x, v, jnp.asarray(0.3)), 0.09 * jnp.mean(jnp.sum(v**2, axis=1)), rtol=1e-12
    )


@pytest.mark.slow
def test_gradient_of_the_loss_is_two_eta_times_the_gradient_of_the_functional(clouds, x64):
    # Claim 12, through a nonlinear generator.
    _, y = map(jnp.asarray, clouds)
    z = jax.random.normal(jax.random.key(1), (11, 3))
    drift = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7)
    generate = lambda w: jnp.tanh(z @ w) * jnp.asarray([1.0, 0.5])
    w = jax.random.normal(jax.random.key(2), (3, 2))

    def loss(w):
        x = generate(w)
        return regression_loss(x, drift.velocity(jax.lax.stop_gradient(x), y, jax.random.key(0)).v, jnp.asarray(0.3))

    expected = 2 * 0.3 * jax.grad(lambda w: drift.functional(generate(w), y))(w)
    np.testing.assert_allclose(jax.grad(loss)(w), expected, rtol=1e-10)


@pytest.mark.slow
def test_particles_with_sgd_at_one_half_are_the_explicit_euler_step():
    problem = small_problem(generator="particles", optimizer="euler")
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    x = state.params["x"]
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 0), 1)
    v = problem.drift.velocity(x, problem.target.sample(key, 32), key).v
    moved, _ = train_chunk(problem, jax.tree.map(jnp.copy, state), jnp.asarray(1), chunk_size=10)
    np.testing.assert_allclose(moved.params["x"], x + v, rtol=2e-6, atol=2e-6)


@pytest.mark.thorough
def test_k_steps_and_k_more_are_bit_equal_to_2k_steps_however_they_are_cut():
    problem = small_problem()
    whole = run_steps(problem, 20, chunk_size=20)
    assert same_bits(whole, run_steps(problem, 10, 20, chunk_size=10))
    assert same_bits(whole, run_steps(problem, 3, 7, 20, chunk_size=10))


@pytest.mark.thorough
def test_one_trace_serves_every_value_of_every_real_hyperparameter():
    problem = small_problem()
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    train_chunk.clear_cache()
    leaves, treedef = jax.tree.flatten(problem)
    for index in range(len(leaves)):
        changed = treedef.unflatten([leaf * 1.01 if i == index else leaf for i, leaf in enumerate(leaves)])
        train_chunk(changed, jax.tree.map(jnp.copy, state), jnp.asarray(2), chunk_size=3)
    assert len(leaves) > 12
    assert train_chunk._cache_size() == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ({"training": {"divergence_radius": 1e-3}}, "position"),
        ({"optimizer": {"learning_rate": 1e30}}, None),
    ],
)
def test_a_bad_step_freezes_the_last_good_state_and_records_why(changes, term):
    problem = small_problem(changes=changes)
    state = run_steps(problem, 40)
    assert bool(state.health.diverged)
    assert int(state.step) == int(state.health.step) < 40
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.params))
    if term:
        assert TERMS[int(state.health.term)] == term


@pytest.mark.slow
def test_adam_ignores_a_constant_factor_on_the_drift_and_sgd_does_not(x64):
    # Claim 30: eta scales V in the loss gradient.
    def travelled(optimizer, eta):
        problem = small_problem(optimizer=optimizer, changes={"training": {"eta": eta}})
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(run_steps(problem, 15).params)])

    assert np.abs(travelled("adam", 1.0) - travelled("adam", 100.0)).max() < 1e-4
    assert np.abs(travelled("sgd", 0.01) - travelled("sgd", 1.0)).max() > 1e-2


@pytest.mark.thorough
def test_the_averaged_parameters_follow_the_stated_recursion():
    problem = small_problem()
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    expected = np.asarray(state.params["out"]["bias"])
    for step in range(3):
        state, _ = train_chunk(problem, state, jnp.asarray(step + 1), chunk_size=10)
        decay = min(0.999, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * np.asarray(state.params["out"]["bias"])
    np.testing.assert_allclose(state.ema_params["out"]["bias"], expected, rtol=1e-5, atol=1e-7)


def test_a_chunk_traces_the_step_once(monkeypatch):
    problem, traces = small_problem(changes={"training": {"batch_size": 13, "n_targets": 11}}), []
    draw = step_module.draw_batch
    monkeypatch.setattr(step_module, "draw_batch", lambda *arguments: [traces.append(1), draw(*arguments)][1])
    state = initial_state(problem, jax.random.key(0))
    train_chunk.lower(problem, state, jnp.asarray(1, state.step.dtype), chunk_size=3)
    assert len(traces) == 1
