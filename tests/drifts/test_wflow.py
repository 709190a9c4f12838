import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from tests.drifts import plan_loops
from tests.drifts.kernel_loops import answer

PLAIN = {"scale_normalise": False, "rms_normalise": False}


def wflow(**fields):
    return gmdwgf.load_drift("wflow", **{"n_iters": 3, "epsilon": 0.5} | fields)


def written_out(x, y, epsilon, n_iters):
    """Z10 with the halves cut by hand, an odd number of particles leaving one more in the second."""
    half = len(x) // 2
    move = lambda a, b: plan_loops.sinkhorn_steps_map(a, b, plan_loops.gibbs(a, b, epsilon), n_iters)[0]
    return move(x, y) - np.concatenate([move(x[:half], x[half:]), move(x[half:], x[:half])])


@pytest.mark.parametrize("n_iters", [0, 3])
def test_each_half_is_repelled_by_the_other(n_iters, clouds, x64):
    x, y = clouds
    expected = written_out(x, y, 0.5, n_iters)
    np.testing.assert_allclose(answer(wflow(n_iters=n_iters, **PLAIN), x, y).v, expected, atol=1e-12)


def test_relative_epsilon_is_in_mean_squares_of_the_targets_about_their_mean(clouds, x64):
    x, y = clouds
    scale = np.mean(np.sum((y - y.mean(0)) ** 2, axis=1))
    got = answer(wflow(epsilon=0.05, rms_normalise=False), x, y).v
    np.testing.assert_allclose(got, written_out(x, y, 0.05 * scale, 3), atol=1e-12)


def test_with_relative_scales_the_drift_grows_with_the_clouds(clouds, x64):
    x, y = clouds
    for rms_normalise in (False, True):
        drift = wflow(epsilon=0.05, rms_normalise=rms_normalise)
        np.testing.assert_allclose(answer(drift, 7 * x + 3, 7 * y + 3).v, 7 * answer(drift, x, y).v, atol=1e-9)


@pytest.mark.parametrize("scale_normalise", [True, False])
def test_normalised_drift_has_mean_square_one_in_units_of_the_targets(scale_normalise, clouds, x64):
    x, y = clouds
    fields = {"epsilon": 0.05, "scale_normalise": scale_normalise}
    raw, normalised = (answer(wflow(rms_normalise=r, **fields), x, y) for r in (False, True))
    unit = np.sqrt(np.mean((y - y.mean(0)) ** 2)) if scale_normalise else 1.0
    np.testing.assert_allclose(np.mean((normalised.v / unit) ** 2), 1.0, rtol=1e-10)
    np.testing.assert_allclose(normalised.v * np.sqrt(np.mean((raw.v / unit) ** 2)), raw.v, atol=1e-10)
    np.testing.assert_allclose(normalised.info["raw_rms"], raw.info["v_rms"], rtol=1e-10)


def test_elsewhere_the_whole_batch_repels_at_the_same_normalisation(clouds, x64):
    x, y = clouds
    at = y[:5] + 0.1
    steps = gmdwgf.load_drift("sinkhorn_steps", n_iters=3, epsilon=0.5)
    plain, normalised = (answer(wflow(**(PLAIN | {"rms_normalise": r})), x, y) for r in (False, True))
    factor = normalised.v[0] / plain.v[0]
    got = answer(wflow(**(PLAIN | {"rms_normalise": True})), x, y, at).v
    np.testing.assert_allclose(got, factor * answer(steps, x, y, at).v, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_batches_have_an_answer(n, clouds, x64):
    x, y = clouds
    got = answer(wflow(**PLAIN), x[:n], y).v
    if n == 1:  # nobody to be repelled by
        expected = plan_loops.sinkhorn_steps_map(x[:1], y, plan_loops.gibbs(x[:1], y, 0.5), 3)[0] - x[:1]
    else:
        expected = written_out(x[:n], y, 0.5, 3)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert np.isfinite(answer(wflow(), jnp.zeros((n, 2)), jnp.zeros((4, 2))).v).all()


def test_weights_of_the_targets_act_as_repeated_points(clouds, x64):
    x, y = clouds
    repeats = np.arange(len(y)) % 3 + 1
    weighted = answer(wflow(epsilon=0.05), x, y, None, None, repeats.astype(float)).v
    np.testing.assert_allclose(weighted, answer(wflow(epsilon=0.05), x, np.repeat(y, repeats, axis=0)).v, atol=1e-10)


def test_weights_of_the_particles_are_their_masses_in_their_half(clouds, x64):
    x, y = clouds
    half, weights = len(x) // 2, np.ones(len(x))
    weights[[1, half + 2]] = 0.0
    kept = weights > 0
    weighted = answer(wflow(**PLAIN), x, y, None, weights).v
    np.testing.assert_allclose(weighted[kept], answer(wflow(**PLAIN), x[kept], y).v, atol=1e-10)
