"""Exact log densities: each integrates to one and is the density of the samples."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.targets.mixtures import Gaussian, RingOfGaussians, TwoModes
from gmdwgf.targets.toy import Checkerboard, Circles
from tests.targets.gates import CHANCE, Z_MAX, chi_square_p, standard_errors

HALF_WIDTH, N_CELLS, PER_CELL = 4.0, 16, 12
FAR = ((0.0, 0.0), (30.0, -20.0), (-30.0, 0.1), (2.0, 1.0))

TARGETS = {
    "ring": lambda: RingOfGaussians(n_modes=7, scale=1.8, noise=0.2),
    "two_modes": lambda: TwoModes(distance=3.0, fraction=0.8, noise=0.3),
    "one_mode": lambda: TwoModes(distance=3.0, fraction=1.0, noise=0.3),
    "gaussian": lambda: Gaussian(mean=[0.4, -0.3], covariance=[[0.5, 0.3], [0.3, 0.4]]),
    "circles": lambda: Circles(scale=2.1, inner=0.4, noise=0.15),
    "point_and_circle": lambda: Circles(scale=2.1, inner=0.0, noise=0.15),
    "blurred_checkerboard": lambda: Checkerboard(scale=2.0, noise=0.15),
    "washed_out_checkerboard": lambda: Checkerboard(scale=2.0, noise=0.4),
}


class Evaluated(NamedTuple):
    """Samples of a target, and its (log density, score) there, at the midpoints of a grid and at FAR."""

    y: np.ndarray
    at_y: tuple[np.ndarray, np.ndarray]
    at_grid: tuple[np.ndarray, np.ndarray]
    at_far: tuple[np.ndarray, np.ndarray]


@jax.jit
def evaluate(target, key, elsewhere):
    y = target.sample(key, 20_000)
    points = jnp.concatenate([y, elsewhere])
    log_density, pull_back = jax.vjp(target.log_density, points)
    return y, log_density, pull_back(jnp.ones(len(points)))[0]


@pytest.fixture(scope="module", params=TARGETS)
def evaluated(request):
    n = N_CELLS * PER_CELL
    middle = (np.arange(n) + 0.5) / n * 2 * HALF_WIDTH - HALF_WIDTH
    grid = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)
    results = evaluate(TARGETS[request.param](), jax.random.key(0), jnp.concatenate([grid, jnp.asarray(FAR)]))
    y, log_density, score = (np.asarray(array, np.float64) for array in results)
    parts = (slice(0, len(y)), slice(len(y), -len(FAR)), slice(-len(FAR), None))
    return Evaluated(y, *((log_density[part], score[part]) for part in parts))


@pytest.mark.slow
def test_the_density_integrates_to_one_and_gives_every_cell_its_share_of_the_samples(evaluated):
    density = np.exp(evaluated.at_grid[0]).reshape(N_CELLS, PER_CELL, N_CELLS, PER_CELL)
    probabilities = density.mean(axis=(1, 3)) * (2 * HALF_WIDTH / N_CELLS) ** 2
    np.testing.assert_allclose(probabilities.sum(), 1.0, atol=1e-4)
    counts = np.histogram2d(*evaluated.y.T, bins=N_CELLS, range=[(-HALF_WIDTH, HALF_WIDTH)] * 2)[0]
    assert chi_square_p(counts, probabilities) > CHANCE


@pytest.mark.thorough
def test_the_score_has_mean_zero_and_stein_identity_holds(evaluated):
    # E[grad log p] = 0 and E[x . grad log p] = -d, for the density of the samples and for hardly any other.
    y, (_, score) = evaluated.y, evaluated.at_y
    assert standard_errors(score, 0.0) < Z_MAX
    assert standard_errors((y * score).sum(axis=1), -2.0) < Z_MAX


def test_log_densities_and_scores_are_finite_at_the_centre_and_far_out(evaluated):
    for values in evaluated.at_far:
        assert np.isfinite(values).all()


def test_a_gaussian_in_three_dimensions_has_the_density_of_its_formula(x64):
    mean, covariance = [0.3, -1.0, 2.0], [[2.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 0.5]]
    target = Gaussian(mean, covariance)
    y = np.random.default_rng(0).normal(size=(5, 3))
    centred = y - np.array(mean)
    quadratic = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    expected = -0.5 * (quadratic + np.log(np.linalg.det(covariance)) + 3 * np.log(2 * np.pi))
    np.testing.assert_allclose(jax.jit(lambda y: target.log_density(y))(y), expected, rtol=1e-10)


@pytest.mark.thorough
@pytest.mark.parametrize("noise", [0.5, 0.02])
def test_the_density_of_circles_is_the_average_of_round_gaussians_along_them(x64, noise):
    scale, inner = 1.5, 0.6
    angle = 2 * np.pi * np.arange(4000) / 4000
    x = np.array([[1.5, 0.02], [0.6, 0.66], [0.01, 0.02], [-1.0, -1.2]])
    density = 0.0
    for radius in (scale, inner * scale):
        on_circle = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        r2 = ((x[:, None] - on_circle) ** 2).sum(-1)
        density = density + 0.5 * np.exp(-r2 / (2 * noise**2)).mean(axis=1) / (2 * np.pi * noise**2)
    seen = density > 1e-200
    values = np.asarray(jax.jit(lambda target: target.log_density(jnp.asarray(x)))(Circles(scale, inner, noise)))
    np.testing.assert_allclose(values[seen], np.log(density[seen]), rtol=1e-8)
    assert np.isfinite(values).all()


def test_the_blurred_checkerboard_falls_off_alike_on_opposite_sides():
    target = Checkerboard(scale=2.0, noise=0.1)
    x = jnp.asarray([[-3.5, -1.5], [-2.6, -2.4]])  # half a turn maps the board to itself
    one_side, other_side = jax.jit(lambda x: (target.log_density(x), target.log_density(-x)))(x)
    np.testing.assert_allclose(one_side, other_side, rtol=1e-5)
    assert one_side[0] < -100


@pytest.mark.thorough
def test_the_sharp_checkerboard_is_uniform_on_its_dark_squares_and_one_trace_serves_sharp_and_blurred():
    traces = []

    @jax.jit
    def log_density(target, x):
        """Its values, and their derivatives in the noise."""
        traces.append(1)
        return jax.jvp(lambda noise: Checkerboard(target.scale, noise).log_density(x), (target.noise,), (1.0,))

    sharp, blurred = Checkerboard(scale=2.0, noise=0.0), Checkerboard(scale=2.0, noise=0.3)
    x = jnp.asarray([[-1.9, -1.9], [0.3, 0.6], [1.1, 1.9]])
    values, slopes = log_density(sharp, x)
    np.testing.assert_allclose(values, -np.log(8.0), rtol=1e-6)
    np.testing.assert_array_equal(slopes, 0.0)
    values, slopes = log_density(blurred, x)
    assert (np.asarray(values) < -np.log(8.0)).all()
    assert np.isfinite(slopes).all()
    values, _ = log_density(sharp, jnp.asarray([[-0.9, -1.9], [2.1, 1.9], [-1.5, 1.5]]))
    np.testing.assert_array_equal(values, -np.inf)
    assert len(traces) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("target", [TwoModes(4.0, 0.5, 0.0), Circles(2.0, 0.5, 0.0)], ids=["two_modes", "circles"])
def test_there_is_no_density_without_noise_where_the_samples_lie_on_a_null_set(target):
    x = jnp.asarray([[2.0, 0.0], [0.3, 0.1]])
    assert np.isnan(jax.jit(lambda target: target.log_density(x))(target)).all()
