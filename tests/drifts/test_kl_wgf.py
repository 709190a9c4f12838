import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.testing.structure import asymmetry
from tests.drifts import kernel_loops
from tests.drifts.kernel_loops import KEY, answer

H = 0.7


def load(n_perturbations=4):
    return gmdwgf.load_drift("kl_wgf", bandwidth=H, n_perturbations=n_perturbations)


def gauss_hermite(n_nodes, dim):
    """Nodes `[s d]` and weights `[s]` of N(0, I)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    grid = np.stack(np.meshgrid(*[nodes] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    products = np.prod(np.stack(np.meshgrid(*[weights] * dim, indexing="ij"), axis=-1).reshape(-1, dim), axis=-1)
    return jnp.asarray(grid), jnp.asarray(products / products.sum())


average = jax.jit(lambda x, y, xi, weights: load().average(x, y, xi, weights)[0])


def smoothed_kl(x, y, xi, weights):
    """KL(k*q || k*p): the mean of log(q_h / p_h) over the particles, each smoothed; normalised densities."""

    def log_density(point, cloud):
        exponents = -jnp.sum((point - cloud) ** 2, axis=-1) / (2 * H**2)
        return jax.nn.logsumexp(exponents) - jnp.log(len(cloud) * 2 * jnp.pi * H**2)

    log_ratio = lambda point: log_density(point, x) - log_density(point, y)
    return jnp.mean(jax.vmap(lambda p: weights @ jax.vmap(log_ratio)(p + H * xi))(x))


@pytest.mark.thorough
def test_with_quadrature_nodes_it_is_the_flow_of_the_smoothed_kl(clouds, x64):
    # Claim 7. The functional's own gradient has the extra term int d(k*q)/dx, which is zero only when integrated.
    x, y = map(jnp.asarray, clouds)
    nodes = gauss_hermite(40, 2)
    v = average(x, y, *nodes)
    expected = -len(x) * jax.jit(jax.grad(smoothed_kl))(x, y, *nodes)
    np.testing.assert_allclose(v, expected, atol=1e-6)
    assert asymmetry(lambda x: average(x, y, *nodes), x) < 1e-6


def test_it_is_not_the_score_difference_on_a_mixture(clouds, x64):
    # Claim 7.
    x, y = map(jnp.asarray, clouds)
    v = average(x, y, *gauss_hermite(40, 2))
    without = answer(gmdwgf.load_drift("kl", bandwidth=H), x, y).v / H**2
    assert np.linalg.norm(v - without) > 0.05 * np.linalg.norm(without)


def test_two_gaussians_give_the_affine_field_of_the_closed_form(x64):
    # Claim 16 over h^2, on every draw: pairs +xi, -xi average affine scores exactly.
    (x, a), (y, b) = kernel_loops.gaussian_grid(-0.4, 0.5), kernel_loops.gaussian_grid(0.9, 1.6)
    at = np.linspace(-1.0, 1.0, 5)[:, None]
    v = answer(load(1), x, y, at, a, b).v
    expected = (at + 0.4) / (0.5 + H**2) - (at - 0.9) / (1.6 + H**2)
    np.testing.assert_allclose(v, expected, atol=1e-6)


def test_velocity_equals_the_double_loop_over_pairs_of_perturbations(clouds, x64):
    x, y = clouds
    draws = np.asarray(jax.random.normal(KEY, (3, 2), jnp.float32), float)
    expected = sum(
        kernel_loops.score_difference(x + sign * H * xi, x, y, H) for xi in draws for sign in (1.0, -1.0)
    ) / (2 * len(draws))
    np.testing.assert_allclose(answer(load(3), x, y).v, expected, atol=1e-10)


def test_each_node_lies_where_its_perturbation_says(clouds, x64):
    x, y = clouds
    xi, weights = np.array([[1.0, -0.5], [0.3, 2.0]]), np.array([0.2, 0.8])  # no pairs, which would hide a sign
    nodes = zip(weights, xi, strict=True)
    expected = sum(w * kernel_loops.score_difference(x + H * node, x, y, H) for w, node in nodes)
    np.testing.assert_allclose(average(x, y, xi, weights), expected, atol=1e-10)


@pytest.mark.thorough
def test_the_draws_are_unbiased(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    exact = average(x, y, *gauss_hermite(40, 2))
    keys = jax.random.split(KEY, 2000)
    draws = np.asarray(jax.vmap(lambda key: answer(load(1), x, y, key=key).v)(keys))
    errors = np.abs(draws.mean(0) - exact) / (draws.std(0) / np.sqrt(len(keys)))
    assert errors.max() < 4.5
    assert draws.std(0).max() > 0.05


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    kernel_loops.assert_weights_act_as_repeated_points(load(2), *clouds)
