import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError, build, load_node
from tests.conftest import skewed_clouds

KEY = jax.random.key(0)
SMALL = {"width": 12, "depth": 1, "n_features": 3, "n_inner": 2}


def drift_of(**fields):
    return gmdwgf.load_drift("dmmd", **(SMALL | fields))


@jax.jit
def answer(drift, x, y, **options):
    return drift.update(drift.init(KEY, x, y), x, y, jax.random.key(1), **options)


@jax.jit
def trained(drift, x, y, keys):
    """State after an update with each key on fixed clouds, and the logs."""
    step = lambda state, key: drift.update(state, x, y, key)[::-1]
    state, outputs = jax.lax.scan(step, drift.init(KEY, x, y), keys)
    return state, outputs.info


def numpy_features(params, points, level):
    inputs = np.concatenate([points, np.full((len(points), 1), np.log(level))], axis=1)
    (layer,) = [params["hidden"][index] for index in params["hidden"]]
    hidden = inputs @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"])
    hidden = hidden / (1 + np.exp(-hidden))
    return hidden @ np.asarray(params["out"]["kernel"]) + np.asarray(params["out"]["bias"])


def test_velocity_is_the_flow_of_the_squared_mmd_of_the_features(clouds, x64):
    """By central differences of a NumPy network: v = -n dF/dx, F = s^2 |mean phi(x) - mean phi(y)|^2 / 2."""
    x, y = clouds
    x, y = 3 * x + 5, 3 * y + 5
    drift = drift_of(noise_level=0.4)
    output, state = answer(drift, jnp.asarray(x), jnp.asarray(y))
    scale, centre = np.sqrt(np.mean((y - y.mean(axis=0)) ** 2)), y.mean(axis=0)
    mean = lambda cloud: numpy_features(state.params, (cloud - centre) / scale, 0.4).mean(axis=0)
    functional = lambda x: scale**2 * np.sum((mean(x) - mean(y)) ** 2) / 2
    expected = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[place] = 1e-5
        expected[place] = -len(x) * (functional(x + shift) - functional(x - shift)) / 2e-5
    np.testing.assert_allclose(output.v, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(output.info["mmd2"], 2 * functional(x) / scale**2, rtol=1e-9)


def test_loss_is_the_formula_of_a_numpy_network(clouds, x64):
    y, other, between = clouds[1], clouds[1][::-1] * 0.8 - 0.1, clouds[1] * 0.5 + 0.2
    drift = drift_of(gradient_penalty=0.7, feature_penalty=0.3)
    params = drift.init(KEY, jnp.asarray(y), jnp.asarray(y)).params
    b = np.arange(1, len(y) + 1) / np.arange(1, len(y) + 1).sum()
    phi = lambda points: numpy_features(params, points, 0.4)
    difference = b @ phi(y) - b @ phi(other)
    witness = lambda points: phi(points) @ difference
    steps = [np.eye(2)[k] * 1e-5 for k in range(2)]
    slope = np.stack([(witness(between + step) - witness(between - step)) / 2e-5 for step in steps], axis=1)
    size = (np.sum(phi(y) ** 2, axis=1) + np.sum(phi(other) ** 2, axis=1)) / 2
    expected = 0.7 * b @ (np.linalg.norm(slope, axis=1) - 1) ** 2 + 0.3 * b @ size - np.sum(difference**2)
    got = jax.jit(lambda *numbers: drift.loss(*numbers))(
        params, *map(jnp.asarray, (y, b, other, between)), jnp.asarray(0.4)
    )
    np.testing.assert_allclose(got, expected, rtol=1e-7)


def test_noise_has_its_level_and_levels_are_log_uniform(x64):
    drift, y = drift_of(min_level=0.05), jnp.asarray(skewed_clouds(m=400)[1])
    noisy, between, level = jax.jit(jax.vmap(lambda key: drift.noisy(key, y)))(jax.random.split(KEY, 400))
    noise = (noisy - np.sqrt(1 - level[:, None, None] ** 2) * y) / level[:, None, None]
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 1], atol=5 / np.sqrt(noise.size))
    quantiles = np.log(level) / np.log(0.05)
    assert 0 < quantiles.min() < 0.02
    assert 0.98 < quantiles.max() < 1
    np.testing.assert_allclose(quantiles.mean(), 0.5, atol=5 / np.sqrt(12 * 400))
    share = (between - noisy) / (y - noisy)
    np.testing.assert_allclose(share[..., 0], share[..., 1], atol=1e-6)
    np.testing.assert_allclose(share.mean(), 0.5, atol=5 / np.sqrt(12 * 400 * 400) + 1e-3)


@pytest.mark.slow
def test_trained_features_tell_data_from_noisy_data_and_move_particles_to_the_data():
    """The loss is averaged over the levels: it falls by more than twice the standard errors of both means."""
    y = jnp.asarray(skewed_clouds(m=200)[1], jnp.float32)
    drift = drift_of(width=32, depth=2, n_features=8, n_inner=5, noise_level=1.0)
    state, logs = trained(drift, y + 1, y, jax.random.split(KEY, 300))
    early, late = (np.asarray(logs["feature_loss"])[part] for part in (slice(0, 50), slice(-100, None)))
    error = np.hypot(early.std() / np.sqrt(50), late.std() / np.sqrt(100))
    assert late.mean() < early.mean() - 2 * error
    assert float(logs["mmd2"][-1]) > 10 * float(logs["mmd2"][0])
    v = np.asarray(drift.update(state, y + 1, y, KEY)[0].v)
    assert (v @ [-1.0, -1.0] > 0).mean() > 0.9


def test_critics_and_features_need_a_constant_rate():
    node = load_node("drift", "dmmd", {})
    node.optimizer.schedule.decay = "cosine"
    with pytest.raises(ConfigError, match="^drift.optimizer.schedule.decay=cosine: must be constant"):
        build(node, "drift")
