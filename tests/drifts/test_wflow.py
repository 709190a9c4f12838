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
    """Z10 with the halves cut by hand; an odd number leaves one more in the second."""
    q1, q2, p1, p2 = x[: len(x) // 2], x[len(x) // 2 :], y[: len(y) // 2], y[len(y) // 2 :]
    move = lambda a, b: plan_loops.sinkhorn_steps_map(a, b, plan_loops.gibbs(a, b, epsilon), n_iters)[0]
    return np.concatenate([move(q1, p1) - move(q1, q2), move(q2, p2) - move(q2, q1)])


@pytest.mark.slow
@pytest.mark.parametrize("n_iters", [0, 3])
def test_each_half_is_drawn_to_half_of_the_targets_and_repelled_by_the_other_half(n_iters, clouds, x64):
    x, y = clouds
    expected = written_out(x, y, 0.5, n_iters)
    np.testing.assert_allclose(answer(wflow(n_iters=n_iters, **PLAIN), x, y).v, expected, atol=1e-12)


@pytest.mark.thorough
def test_relative_epsilon_is_in_mean_squares_of_the_targets_about_their_mean(clouds, x64):
    x, y = clouds
    scale = np.mean(np.sum((y - y.mean(0)) ** 2, axis=1))
    got = answer(wflow(epsilon=0.05, rms_normalise=False), x, y).v
    np.testing.assert_allclose(got, written_out(x, y, 0.05 * scale, 3), atol=1e-12)


@pytest.mark.thorough
def test_with_relative_scales_the_drift_grows_with_the_clouds(clouds, x64):
    x, y = clouds
    for rms_normalise in (False, True):
        drift = wflow(epsilon=0.05, rms_normalise=rms_normalise)
        np.testing.assert_allclose(answer(drift, 7 * x + 3, 7 * y + 3).v, 7 * answer(drift, x, y).v, atol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("scale_normalise", [True, False])
def test_normalised_drift_has_mean_square_one_in_units_of_the_targets(scale_normalise, clouds, x64):
    x, y = clouds
    fields = {"epsilon": 0.05, "scale_normalise": scale_normalise}
    raw, normalised = (answer(wflow(rms_normalise=r, **fields), x, y) for r in (False, True))
    unit = np.sqrt(np.mean((y - y.mean(0)) ** 2)) if scale_normalise else 1.0
    np.testing.assert_allclose(np.mean((normalised.v / unit) ** 2), 1.0, rtol=1e-10)
    np.testing.assert_allclose(normalised.v * np.sqrt(np.mean((raw.v / unit) ** 2)), raw.v, atol=1e-10)
    np.testing.assert_allclose(normalised.info["raw_rms"], raw.info["v_rms"], rtol=1e-10)


@pytest.mark.slow
def test_elsewhere_the_whole_batch_repels_at_the_same_normalisation(clouds, x64):
    x, y = clouds
    at = y[:5] + 0.1
    steps = gmdwgf.load_drift("sinkhorn_steps", n_iters=3, epsilon=0.5)
    plain, normalised = (answer(wflow(**(PLAIN | {"rms_normalise": r})), x, y) for r in (False, True))
    factor = normalised.v[0] / plain.v[0]
    got = answer(wflow(**(PLAIN | {"rms_normalise": True})), x, y, at).v
    np.testing.assert_allclose(got, factor * answer(steps, x, y, at).v, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_batches_have_an_answer(n, clouds, x64):
    x, y = clouds
    got = answer(wflow(**PLAIN), x[:n], y).v
    if n == 1:  # nobody to be repelled by, and all targets to go to
        expected = plan_loops.sinkhorn_steps_map(x[:1], y, plan_loops.gibbs(x[:1], y, 0.5), 3)[0] - x[:1]
    else:
        expected = written_out(x[:n], y, 0.5, 3)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    assert np.isfinite(answer(wflow(), jnp.zeros((n, 2)), jnp.zeros((4, 2))).v).all()


@pytest.mark.slow
def test_points_of_weight_zero_are_not_there(clouds, x64):
    x, y = clouds
    weights = [np.where(np.isin(np.arange(len(c)), [1, len(c) // 2 + 2]), 0.0, 1.0) for c in (x, y)]  # one in each half
    kept_x, kept_y = (w > 0 for w in weights)
    weighted = answer(wflow(epsilon=0.05, rms_normalise=False), x, y, None, *weights).v
    expected = answer(wflow(epsilon=0.05, rms_normalise=False), x[kept_x], y[kept_y]).v
    np.testing.assert_allclose(weighted[kept_x], expected, atol=1e-10)


@pytest.mark.slow
def test_weights_are_masses_within_their_half(clouds, x64):
    x, y = clouds[0][:12], clouds[1][:12]
    doubled = np.array([0, 0, 1, 2, 3, 4, 6, 6, 7, 8, 9, 10])  # the first of each half twice, its last one left out
    weights = np.array([2.0, 1, 1, 1, 1, 0] * 2)
    weighted = answer(wflow(**PLAIN), x, y, None, weights, weights).v
    repeated = answer(wflow(**PLAIN), x[doubled], y[doubled]).v
    np.testing.assert_allclose(weighted[doubled], repeated, atol=1e-10)


@pytest.mark.thorough
def test_it_does_not_draw_samples_of_the_target_together(x64):
    # E <v, x> at p = q over 60 draws of small batches: none within 3 standard errors; one batch alone is drawn in.
    draws = np.random.default_rng(0).normal(size=(60, 2, 12, 2))

    def outward(drift):
        pushes = [np.mean(np.sum(answer(drift, x, y).v * x, axis=1)) for x, y in draws]
        return np.mean(pushes), np.std(pushes) / np.sqrt(len(pushes))

    one, one_error = outward(gmdwgf.load_drift("sinkhorn_steps", epsilon=0.2, n_iters=3))
    two, two_error = outward(wflow(**PLAIN | {"epsilon": 0.2}))
    assert one < -4 * one_error
    assert abs(two) < 3 * two_error
