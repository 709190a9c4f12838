"""Wrapped normal distributions: density, moments on the circle, and what lies across the cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.targets.torus import TorusMixture
from tests.targets.gates import CHANCE, Z_MAX, chi_square_p, drawn, standard_errors

TARGETS = {
    "narrow": TorusMixture([[3.0, -2.9], [0.3, 1.0 + 2 * np.pi]], [2, 1], 0.4),
    "wide": TorusMixture([[3.0, -2.9], [0.3, 1.0]], [2, 1], 2.5),
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_density_integrates_to_one_and_gives_every_cell_its_share_of_the_samples(target):
    middle = (np.arange(96) + 0.5) / 96 * 2 * np.pi - np.pi
    grid = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(np.asarray(jax.jit(lambda x: target.log_density(x))(jnp.asarray(grid, jnp.float32)), np.float64))
    probabilities = density.reshape(12, 8, 12, 8).mean(axis=(1, 3)) * (2 * np.pi / 12) ** 2
    np.testing.assert_allclose(probabilities.sum(), 1.0, atol=1e-4)
    y = drawn(target)
    assert np.abs(y).max() <= np.pi + 1e-6
    counts = np.histogram2d(*y.T, bins=12, range=[(-np.pi - 1e-6, np.pi + 1e-6)] * 2)[0]
    assert chi_square_p(counts, probabilities) > CHANCE


def test_the_circular_mean_of_one_mode_is_shortened_by_half_its_variance():
    y = drawn(TorusMixture([[3.0, -2.0, 0.5]], 1.0, 0.7))
    turn = np.exp(-(0.7**2) / 2)
    centre = np.array([3.0, -2.0, 0.5])
    assert standard_errors(np.cos(y), turn * np.cos(centre)) < Z_MAX
    assert standard_errors(np.sin(y), turn * np.sin(centre)) < Z_MAX


def test_centres_are_wrapped_and_the_density_is_the_same_on_both_sides_of_the_cut():
    target = TARGETS["narrow"]
    centres, masses = jax.jit(lambda: target.modes())()
    np.testing.assert_allclose(centres, [[3.0, -2.9], [0.3, 1.0]], atol=1e-6)
    np.testing.assert_allclose(masses, [2 / 3, 1 / 3], rtol=1e-6)
    assert (target.manifold.name, target.dim) == ("torus", 2)
    np.testing.assert_allclose(target.mode_radius(), 1.2, rtol=1e-6)
    ends = jnp.asarray([[np.pi, -3.0], [-np.pi, -3.0], [3.1, -np.pi], [3.1, np.pi]], jnp.float32)
    value = np.asarray(jax.jit(lambda x: target.log_density(x))(ends))
    np.testing.assert_allclose(value[::2], value[1::2], atol=1e-5)
    assert (value > -2).all()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (([[0.0, 1.0], [2.0]], 1.0, 0.3), "centres"),
        (([[0.0, 1.0]], [1.0, 1.0], 0.3), "masses"),
        (([[0.0, 1.0]], 1.0, 0.0), "noise"),
        (([[0.0, 1.0]], 1.0, 4.0), "noise"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(fields, name):
    with pytest.raises(FieldError) as refused:
        TorusMixture(*fields)
    assert refused.value.name == name
