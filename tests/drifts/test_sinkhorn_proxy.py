import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.affinity import ruiz_potentials
from gmdwgf.testing import asymmetry, spatial_curl
from tests.drifts import plan_loops
from tests.drifts.kernel_loops import answer, assert_weights_act_as_repeated_points

H = 0.7


def proxy(**fields):
    return gmdwgf.load_drift("sinkhorn_proxy", **{"bandwidth": H} | fields)


def written_out(x, y, n_iters=1):
    """Scaled affinities to targets and particles, weighted by the masses, by matrices."""
    plus = plan_loops.ruiz(plan_loops.gibbs(x, y, H**2), n_iters) / len(y)
    minus = plan_loops.ruiz(plan_loops.gibbs(x, x, H**2), n_iters) / len(x)
    return plus, minus


def core(plus, minus, x, y):
    return plus @ y / plus.sum(1, keepdims=True) - minus @ x / minus.sum(1, keepdims=True)


@pytest.mark.parametrize("n_iters", [1, 3])
def test_velocity_equals_the_scaled_matrices_with_cross_weights(n_iters, clouds, x64):
    x, y = clouds
    plus, minus = written_out(x, y, n_iters)
    got = answer(proxy(ruiz_iters=n_iters), x, y)
    np.testing.assert_allclose(got.v, plan_loops.cross_weighted(plus, minus, x, y, x), atol=1e-12)
    np.testing.assert_allclose(got.info["speed"], np.mean(plus.sum(1) * minus.sum(1)), rtol=1e-10)


@pytest.mark.thorough
def test_without_cross_weights_it_is_the_difference_of_the_barycentres(clouds, x64):
    x, y = clouds
    expected = core(*written_out(x, y), x, y)
    np.testing.assert_allclose(answer(proxy(cross_weight=False), x, y).v, expected, atol=1e-12)


def test_roots_of_softmax_products_differ_by_the_root_of_the_ratio_of_the_batches(clouds, x64):
    x, y = clouds
    blocks = []
    for cloud in (y, x):
        rows, columns = plan_loops.two_softmaxes(-(plan_loops.distances(x, cloud) ** 2) / (2 * H**2))
        blocks.append(np.sqrt(rows * columns))
    literal = plan_loops.cross_weighted(*blocks, x, y, x)
    np.testing.assert_allclose(np.sqrt(len(y) / len(x)) * answer(proxy(), x, y).v, literal, atol=1e-12)


def test_algorithm_2_with_the_same_kernel_has_the_same_direction_and_a_known_lower_speed(clouds, x64):
    # Claim 5: V_alg2 / V_proxy = sqrt(R+ R-) / (R+ + R-), R the kernel's row sums; the sums of softmaxes give sqrt(m / n).
    x, y = clouds
    n, m = len(x), len(y)
    plus, minus = plan_loops.gibbs(x, y, H**2), plan_loops.gibbs(x, x, H**2)
    rows, columns = plan_loops.two_softmaxes(np.log(np.concatenate([plus, minus], axis=1)))
    joint = np.sqrt(rows * columns)
    alg2 = plan_loops.cross_weighted(joint[:, :m], joint[:, m:], x, y, x)
    r_plus, r_minus = plus.sum(1, keepdims=True), minus.sum(1, keepdims=True)
    ratio = np.sqrt(r_plus * r_minus) / (r_plus + r_minus)
    assert (ratio <= 0.5).all()
    np.testing.assert_allclose(alg2, ratio * np.sqrt(m / n) * answer(proxy(), x, y).v, atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize(("n_iters", "expected"), [(1, plan_loops.ruiz), (4000, None)])
def test_one_scaling_is_the_proxy_and_many_are_the_sinkhorn_plan(n_iters, expected, clouds, x64):
    # Claim 9.
    x, y = clouds
    n, m, epsilon = len(x), len(y), H**2
    log_a, log_b = jnp.full(n, -jnp.log(n)), jnp.full(m, -jnp.log(m))
    f, g = ruiz_potentials(jnp.asarray(x), log_a, jnp.asarray(y), log_b, jnp.asarray(epsilon), n_iters)
    kernel = plan_loops.gibbs(x, y, epsilon)
    got = np.exp(f[:, None] / epsilon) * kernel * np.exp(g[None, :] / epsilon) / (n * m)
    wanted = expected(kernel, 1) / (n * m) if expected else plan_loops.sinkhorn_plan(kernel)
    np.testing.assert_allclose(got, wanted, atol=1e-12)


@pytest.mark.slow
def test_many_scalings_are_the_sinkhorn_drift(clouds, x64):
    x, y = clouds
    exact = gmdwgf.load_drift("sinkhorn", epsilon=H**2, self_term="same_batch", threshold=1e-12, max_iters=20000)
    np.testing.assert_allclose(answer(proxy(ruiz_iters=400), x, y).v, answer(exact, x, y).v, atol=1e-9)


@pytest.mark.slow
def test_the_core_is_a_gradient_field_and_the_cross_weighted_one_is_not_and_neither_is_a_flow(clouds, x64):
    # Claims 13 and 14.
    x, y = map(jnp.asarray, clouds)
    for cross_weight in (False, True):
        drift = proxy(cross_weight=cross_weight)
        curl = spatial_curl(lambda at, drift=drift: answer(drift, x, y, at).v, y[:4] + 0.15)
        assert curl > 0.05 if cross_weight else curl < 1e-8
        assert asymmetry(lambda cloud, drift=drift: answer(drift, cloud, y).v, x) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{}, {"ruiz_iters": 3}, {"cross_weight": False, "ruiz_iters": 3}])
def test_the_field_at_the_particles_is_the_velocity(fields, clouds, x64):
    x, y = clouds
    drift = proxy(**fields)
    np.testing.assert_allclose(answer(drift, x, y, x[:5]).v, answer(drift, x, y).v[:5], atol=1e-12)


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    assert_weights_act_as_repeated_points(proxy(ruiz_iters=2), *clouds)


@pytest.mark.thorough
def test_a_collapsed_cloud_amid_two_targets_stays(x64):
    # Claim 28.
    y = np.array([[-1.0], [1.0]])
    assert np.abs(answer(proxy(bandwidth=0.5), np.zeros((4, 1)), y).v).max() < 1e-12


@pytest.mark.thorough
def test_two_distant_modes_of_unequal_mass_are_not_balanced(x64):
    # Claim 26: eight bandwidths apart, nothing moves across.
    x, y = plan_loops.two_modes(0.8, 4.0), plan_loops.two_modes(0.5, 4.0, seed=1)
    assert abs(answer(proxy(bandwidth=0.5), x, y).v[:80, 0].mean()) < 0.1
