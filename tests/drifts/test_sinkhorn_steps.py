import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.testing import asymmetry
from tests.drifts import plan_loops
from tests.drifts.kernel_loops import answer, assert_weights_act_as_repeated_points, gaussian_grid

EPSILON = 0.5


def steps(n_iters, epsilon=EPSILON):
    return gmdwgf.load_drift("sinkhorn_steps", n_iters=n_iters, epsilon=epsilon)


@pytest.mark.parametrize("n_iters", [0, 1, 3])
def test_velocity_equals_scaling_iterations_written_out(n_iters, clouds, x64):
    x, y = clouds
    to_y, plan = plan_loops.sinkhorn_steps_map(x, y, plan_loops.gibbs(x, y, EPSILON), n_iters)
    to_x, _ = plan_loops.sinkhorn_steps_map(x, x, plan_loops.gibbs(x, x, EPSILON), n_iters)
    got = answer(steps(n_iters), x, y)
    np.testing.assert_allclose(got.v, to_y - to_x, atol=1e-12)
    np.testing.assert_allclose(got.info["marginal_error"], np.abs(plan.sum(0) - 1 / len(y)).sum(), rtol=1e-9)


def test_no_correction_is_the_kl_drift_of_the_same_gaussian(clouds, x64):
    # Claim 9: bandwidth^2 = epsilon.
    kl = gmdwgf.load_drift("kl", bandwidth=EPSILON**0.5)
    np.testing.assert_allclose(answer(steps(0), *clouds).v, answer(kl, *clouds).v, atol=1e-12)


@pytest.mark.thorough
def test_many_corrections_are_the_sinkhorn_drift(clouds, x64):
    exact = gmdwgf.load_drift("sinkhorn", epsilon=EPSILON, self_term="same_batch", threshold=1e-12, max_iters=20000)
    np.testing.assert_allclose(answer(steps(300), *clouds).v, answer(exact, *clouds).v, atol=1e-9)


@pytest.mark.slow
def test_the_field_comes_nearer_to_a_flow_with_every_correction(clouds, x64):
    # Claim 13: the asymmetry of the particle Jacobian falls with the number of corrections.
    x, y = map(jnp.asarray, clouds)
    found = [asymmetry(lambda cloud, k=k: answer(steps(k), cloud, y).v, x) for k in (0, 1, 3, 10, 500)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 5e-2
    assert found[3] > 1e-4
    assert found[4] < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize(("n_iters", "printed"), [(0, 0.28205128), (1, 0.58718681), (3, 0.67588058), (50, 0.67896697)])
def test_gaussians_give_the_slope_of_the_k_step_recursion(n_iters, printed, x64):
    # Claim 18 for a = .5, b = 1.6, epsilon = .8, with the recursion in precisions beside the printed numbers.
    a, b, epsilon = 0.5, 1.6, 0.8

    def slope(variance):
        c = 0.0
        for _ in range(n_iters):
            row = 1 / variance + 1 / epsilon + c
            column = 1 / a + 1 / epsilon - (1 / epsilon - 1 / (epsilon**2 * row))
            c = -(1 / epsilon - 1 / (epsilon**2 * column))
        return 1 / (epsilon * (1 / variance + 1 / epsilon + c))

    np.testing.assert_allclose(slope(b) - slope(a), printed, atol=1e-8)
    (x, x_weights), (y, y_weights) = gaussian_grid(-0.3, a, 60), gaussian_grid(0.7, b, 60)
    at = np.array([[-0.8], [-0.3], [0.4]])
    got = answer(steps(n_iters, epsilon), x, y, at, x_weights, y_weights).v
    np.testing.assert_allclose((got[2] - got[0]) / (at[2] - at[0]), printed, atol=1e-7)
    if n_iters in (
        0,
        50,
    ):  # a converged plan carries the mean to the mean, a softmax epsilon / (b + epsilon) of the way
        np.testing.assert_allclose(got[1], 1.0 if n_iters else 1 / 3, atol=1e-7)


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    assert_weights_act_as_repeated_points(steps(2), *clouds)


@pytest.mark.thorough
def test_a_collapsed_cloud_amid_two_targets_stays_and_splits_when_nudged(x64):
    # Claim 28; in the first order a split grows at the rate Cov / epsilon without corrections.
    y = np.array([[-1.0], [1.0]])
    for n_iters in (0, 3):
        assert np.abs(answer(steps(n_iters, 0.25), np.zeros((4, 1)), y).v).max() < 1e-12
    split = np.array([[1e-5], [-1e-5]])
    np.testing.assert_allclose(answer(steps(0, 0.25), split, y).v / split, 4.0, rtol=1e-4)


@pytest.mark.thorough
def test_a_few_corrections_do_not_reach_a_far_mode_and_say_so(x64):
    # Claim 26 and the table of reference speeds: exact transport would move the over-full mode at 1.5.
    x, y = plan_loops.two_modes(0.8, 4.0), plan_loops.two_modes(0.5, 4.0, seed=1)
    few, many = answer(steps(3, 0.25), x, y), answer(steps(300, 0.25), x, y)
    assert abs(few.v[:80, 0].mean()) < 0.1
    np.testing.assert_allclose(many.v[:80, 0].mean(), 1.5, rtol=0.1)
    assert few.info["marginal_error"] > 0.3
    assert many.info["marginal_error"] < 0.05
