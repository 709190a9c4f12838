"""Targets on the sphere: published means, densities that integrate to one, and places that can be computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.targets.spheres import SphereCheckerboard, VonMisesFisher, from_latitude_and_longitude
from tests.targets.gates import CHANCE, Z_MAX, chi_square_p, drawn, standard_errors

AXIS = np.array([2.0, -1.0, 2.0]) / 3
MIXTURE = VonMisesFisher([[1.8, 0, 0.8], [-0.3, 0.9, 0.3], [0.3, -0.8, -0.5]], [3, 2, 1], 9.0)
BOARD = SphereCheckerboard(n_bands=3, n_sectors=6)


def midpoints(n_heights=60, n_angles=120):
    """Midpoints `[n 3]` of cells of equal area, for which the area element is dz d(longitude)."""
    z = (np.arange(n_heights) + 0.5) / n_heights * 2 - 1
    longitude = (np.arange(n_angles) + 0.5) / n_angles * 2 * np.pi - np.pi
    z, longitude = (grid.ravel() for grid in np.meshgrid(z, longitude, indexing="ij"))
    ring = np.sqrt(1 - z**2)
    return np.stack([ring * np.cos(longitude), ring * np.sin(longitude), z], axis=1)


@pytest.mark.parametrize(("kappa", "length"), [(0.5, 0.163953), (4.0, 0.750671), (50.0, 0.98)])
def test_the_mean_of_one_mode_is_that_of_langevin(kappa, length):
    np.testing.assert_allclose(1 / np.tanh(kappa) - 1 / kappa, length, atol=1e-6)
    y = drawn(VonMisesFisher([list(3 * AXIS)], 1.0, kappa))
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1.0, atol=1e-6)
    assert standard_errors(y, (1 / np.tanh(kappa) - 1 / kappa) * AXIS) < Z_MAX


def test_the_directions_around_a_mode_are_uniform():
    y = drawn(VonMisesFisher([list(AXIS)], 1.0, 4.0))
    first = np.cross(AXIS, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(AXIS, [0.0, 0.0, 1.0]))
    angle = np.arctan2(y @ np.cross(AXIS, first), y @ first)
    assert chi_square_p(np.histogram(angle, 24, (-np.pi, np.pi))[0], np.full(24, 1 / 24)) > CHANCE


@pytest.mark.parametrize("kappa", [1e-6, 1e6])
def test_flat_and_sharp_modes_keep_their_digits(kappa):
    y = drawn(VonMisesFisher([list(AXIS)], 1.0, kappa))
    r2 = np.sum((y - AXIS) ** 2, axis=1) / 2  # 1 - <x, c>: uniform on [0, 2], or exponential of mean 1 / kappa
    assert standard_errors(r2, 1.0 if kappa < 1 else 1e-6) < Z_MAX
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("target", [MIXTURE, BOARD], ids=["mixture", "board"])
def test_the_density_integrates_to_one_and_gives_every_cell_its_share_of_the_samples(target):
    density = np.exp(
        np.asarray(jax.jit(lambda x: target.log_density(x))(jnp.asarray(midpoints(), jnp.float32)), np.float64)
    )
    probabilities = density.reshape(6, 10, 12, 10).mean(axis=(1, 3)) * 4 * np.pi / 72
    np.testing.assert_allclose(probabilities.sum(), 1.0, atol=2e-3)
    y = drawn(target)
    counts = np.histogram2d(y[:, 2], np.arctan2(y[:, 1], y[:, 0]), bins=(6, 12), range=[(-1, 1), (-np.pi, np.pi)])[0]
    assert chi_square_p(counts, probabilities / probabilities.sum()) > CHANCE


def test_the_density_of_a_mixture_is_that_of_its_formula(x64):
    target = VonMisesFisher([[1.8, 0, 0.8], [-0.3, 0.9, 0.3]], [3, 2], 9.0)
    x = midpoints(3, 4)
    expected = 0.0
    for centre, share in (([1.8, 0, 0.8], 0.6), ([-0.3, 0.9, 0.3], 0.4)):
        cosine = x @ np.array(centre) / np.linalg.norm(centre)
        expected = expected + share * 9.0 / (4 * np.pi * np.sinh(9.0)) * np.exp(9.0 * cosine)
    np.testing.assert_allclose(jax.jit(lambda x: target.log_density(x))(x), np.log(expected), rtol=1e-9)


def test_modes_are_unit_vectors_with_masses_that_sum_to_one_and_three_deviations_wide():
    centres, masses = jax.jit(lambda: MIXTURE.modes())()
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(masses, [1 / 2, 1 / 3, 1 / 6], rtol=1e-6)
    np.testing.assert_allclose(MIXTURE.mode_radius(), 1.0, rtol=1e-6)
    assert (MIXTURE.manifold.name, MIXTURE.n_classes) == ("sphere", 3)
    equal = VonMisesFisher([[1, 0, 0], [0, 1, 0]], 1.0, 9.0)
    np.testing.assert_allclose(jax.jit(lambda: equal.modes())()[1], 0.5, rtol=1e-6)


def test_latitude_and_longitude_have_the_axes_of_the_earth():
    angles = np.radians([[0.0, 0.0], [0.0, 90.0], [90.0, 33.0], [30.0, 180.0]])
    points = from_latitude_and_longitude(*jnp.asarray(angles, jnp.float32).T)
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-np.sqrt(0.75), 0, 0.5]]
    np.testing.assert_allclose(points, expected, atol=1e-6)


def test_neighbouring_cells_of_the_board_have_other_colours():
    angles = np.radians([[-60.0, -175.0], [-60.0, -115.0], [0.0, -175.0], [0.0, -115.0], [60.0, -175.0]])
    at = jax.jit(lambda latitude, longitude: BOARD.log_density(from_latitude_and_longitude(latitude, longitude)))
    log_density = at(*jnp.asarray(angles, jnp.float32).T)
    dark = -np.log(2 * np.pi)
    np.testing.assert_allclose(log_density, [dark, -np.inf, -np.inf, dark, dark], rtol=1e-6)


@pytest.mark.parametrize(
    ("made", "field", "fix"),
    [
        (lambda: VonMisesFisher([[1, 0]], 1.0, 9.0), "centres", "3 numbers each"),
        (lambda: VonMisesFisher([1, 0, 0], 1.0, 9.0), "centres", "3 numbers each"),
        (lambda: VonMisesFisher([[1, 0, 0], [0, 1]], 1.0, 9.0), "centres", "3 numbers each"),
        (lambda: VonMisesFisher([[1, 0, float("nan")]], 1.0, 9.0), "centres", "finite"),
        (lambda: VonMisesFisher([[0, 0, 0]], 1.0, 9.0), "centres", "not be zero"),
        (lambda: VonMisesFisher([[1, 0, 0]], [1, 2], 9.0), "masses", "one number, or 1"),
        (lambda: VonMisesFisher([[1, 0, 0]], -1.0, 9.0), "masses", "greater than 0"),
        (lambda: VonMisesFisher([[1, 0, 0]], 1.0, 0.0), "concentration", "greater than 0"),
        (lambda: SphereCheckerboard(4, 5), "n_sectors", "even"),
    ],
)
def test_what_does_not_exist_is_refused_by_field_and_fix(made, field, fix):
    with pytest.raises(FieldError) as refused:
        made()
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert "\n" not in str(refused.value)
