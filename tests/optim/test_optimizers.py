"""Optimisers and their rates against the formulas of their papers, in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.optim import SGD, Adam, RateSchedule

N_STEPS = 9
PARAMS = {"w": np.array([[0.5, -1.0], [2.0, 0.25]]), "b": np.array([0.3, -0.7])}
GRADIENTS = [  # of norms 5.4, 0.5 and 3.7: below and above the clip norms of these tests
    {"w": np.array([[3.0, 0.1], [-4.0, 0.5]]), "b": np.array([2.0, 0.0])},
    {"w": np.array([[0.1, -0.2], [0.3, 0.2]]), "b": np.array([-0.1, 0.25])},
    {"w": np.array([[-1.0, 2.0], [0.0, 1.5]]), "b": np.array([1.0, -2.3])},
]

DECAYS = {
    "constant": lambda s, final: 1.0,
    "linear": lambda s, final: 1 - (1 - final) * s,
    "cosine": lambda s, final: final + (1 - final) * (1 + np.cos(np.pi * s)) / 2,
}


def schedule(decay="linear", warmup=0.0, final=0.25):
    return RateSchedule(decay=decay, warmup_fraction=warmup, final_fraction=final)


def factors(rates, n_steps):
    return np.asarray(jax.vmap(rates, in_axes=(0, None))(jnp.arange(n_steps), jnp.asarray(float(n_steps))))


@pytest.mark.thorough
@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize("decay", DECAYS)
def test_the_rate_rises_to_full_and_decays_to_its_final_fraction_at_the_last_step(decay, warmup, x64):
    n, final = 20, 0.3
    values = factors(schedule(decay, warmup / n, final), n)
    expected = [
        (t + 1) / warmup if t < warmup else DECAYS[decay]((t - warmup) / (n - 1 - warmup), final) for t in range(n)
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert values[warmup] == 1.0
    assert values[-1] == pytest.approx(1.0 if decay == "constant" else final, rel=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("n_steps", [2, 3, 100, 20_000])
@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_the_last_step_of_a_run_of_any_length_has_the_final_fraction(decay, n_steps):
    last = lambda warmup, final: schedule(decay, warmup, final)(jnp.asarray(n_steps - 1), jnp.asarray(float(n_steps)))
    np.testing.assert_allclose(last(0.0, 0.1), 0.1, rtol=1e-5)
    np.testing.assert_allclose(last(0.1, 0.0), 0.0, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("decay", DECAYS)
def test_a_rate_that_has_no_steps_to_decay_in_stays_full(decay):
    assert factors(schedule(decay), 1).tolist() == [1.0]
    np.testing.assert_allclose(factors(schedule(decay, warmup=1.0), 4), [0.25, 0.5, 0.75, 1.0])


def taken(optimizer):
    """Updates and rates of the steps of GRADIENTS, which are the last of a run of N_STEPS."""
    state, params, updates, rates = optimizer.init(PARAMS), PARAMS, [], []
    for step, gradient in enumerate(GRADIENTS, N_STEPS - len(GRADIENTS)):
        gradient = jax.tree.map(jnp.asarray, gradient)
        update, state, rate = optimizer.update(gradient, state, params, jnp.asarray(step), jnp.asarray(float(N_STEPS)))
        params = jax.tree.map(lambda a, b: a + b, params, update)
        updates.append(update)
        rates.append(float(rate))
    return updates, rates


def clipped(gradient, norm):
    """The gradient, all of it scaled down where its norm over all leaves is larger."""
    size = np.sqrt(sum(np.sum(leaf**2) for leaf in gradient.values()))
    return {name: leaf * min(1.0, norm / size) for name, leaf in gradient.items()}


def check(updates, expected):
    for update, wanted in zip(updates, expected, strict=True):
        for name in wanted:
            np.testing.assert_allclose(update[name], wanted[name], rtol=1e-9, err_msg=name)


def expected_rates(rate):
    return [rate * (1 - 0.75 * t / (N_STEPS - 1)) for t in range(N_STEPS - len(GRADIENTS), N_STEPS)]


@pytest.mark.thorough
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_sums_clipped_gradients_with_momentum(momentum, x64):
    updates, rates = taken(SGD(schedule(), learning_rate=0.1, momentum=momentum, clip_norm=1.5))
    np.testing.assert_allclose(rates, expected_rates(0.1), rtol=1e-12)
    trace, expected = {name: 0.0 for name in PARAMS}, []
    for rate, gradient in zip(rates, GRADIENTS, strict=True):
        trace = {name: momentum * trace[name] + leaf for name, leaf in clipped(gradient, 1.5).items()}
        expected.append({name: -rate * leaf for name, leaf in trace.items()})
    check(updates, expected)


@pytest.mark.thorough
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adam_takes_the_steps_of_its_paper_with_decoupled_weight_decay(weight_decay, x64):
    b1, b2, eps = 0.8, 0.95, 0.01
    numbers = {"b1": b1, "b2": b2, "eps": eps, "weight_decay": weight_decay, "clip_norm": 1.5}
    updates, rates = taken(Adam(schedule(), learning_rate=0.1, **numbers))
    np.testing.assert_allclose(rates, expected_rates(0.1), rtol=1e-12)
    params = PARAMS
    m, v, expected = {name: 0.0 for name in PARAMS}, {name: 0.0 for name in PARAMS}, []
    for t, (rate, gradient) in enumerate(zip(rates, GRADIENTS, strict=True), 1):
        update = {}
        for name, leaf in clipped(gradient, 1.5).items():
            m[name] = b1 * m[name] + (1 - b1) * leaf
            v[name] = b2 * v[name] + (1 - b2) * leaf**2
            direction = m[name] / (1 - b1**t) / (np.sqrt(v[name] / (1 - b2**t)) + eps)
            update[name] = -rate * (direction + weight_decay * params[name])
        params = {name: params[name] + update[name] for name in params}
        expected.append(update)
    check(updates, expected)
