"""Gaussian targets: modes, masses and moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.targets.mixtures import Gaussian, RingOfGaussians, TwoModes
from tests.targets.gates import CHANCE, Z_MAX, chi_square_p, drawn, standard_errors


def nearest_mode(target, y):
    """Which mode is nearest to each sample, and the way from there to the sample."""
    centres = np.asarray(target.modes()[0])
    nearest = np.argmin(((y[:, None] - centres) ** 2).sum(axis=-1), axis=1)
    return nearest, y - centres[nearest]


def test_the_first_mode_of_the_ring_is_on_the_positive_x_axis_and_all_are_at_the_same_distance():
    centres, masses = RingOfGaussians(n_modes=5, scale=3.0, noise=0.1).modes()
    np.testing.assert_allclose(centres[0], [3.0, 0.0])
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 3.0, rtol=1e-6)
    sides = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, 6 * np.sin(np.pi / 5), rtol=1e-6)
    np.testing.assert_allclose(masses, 0.2, rtol=1e-6)


def test_the_right_one_of_two_modes_has_the_mass_fraction():
    centres, masses = TwoModes(distance=4.0, fraction=0.8, noise=0.3).modes()
    np.testing.assert_allclose(centres, [[-2, 0], [2, 0]])
    np.testing.assert_allclose(masses, [0.2, 0.8], rtol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("target", [RingOfGaussians(7, 2.0, 0.1), TwoModes(4.0, 0.13, 0.3)], ids=["ring", "two_modes"])
def test_every_mode_gets_its_mass_of_the_samples_and_is_a_round_gaussian(target):
    _, masses = target.modes()
    nearest, offset = nearest_mode(target, drawn(target))
    assert chi_square_p(np.bincount(nearest, minlength=len(masses)), masses) > CHANCE
    offset = offset / float(target.noise)
    assert standard_errors(offset, 0.0) < Z_MAX
    assert standard_errors(offset**2, 1.0) < Z_MAX
    assert standard_errors(offset[:, 0] * offset[:, 1], 0.0) < Z_MAX


@pytest.mark.thorough
@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_mode_without_mass_gets_no_samples(fraction):
    y = drawn(TwoModes(distance=8.0, fraction=fraction, noise=0.3))
    assert (np.sign(y[:, 0]) == (1 if fraction else -1)).all()


@pytest.mark.thorough
def test_samples_lie_within_the_mode_radius_as_often_as_a_gaussian_within_three_standard_deviations():
    target = RingOfGaussians(n_modes=7, scale=2.0, noise=0.1)
    np.testing.assert_allclose(target.mode_radius(), 0.3, rtol=1e-6)
    _, offset = nearest_mode(target, drawn(target, seed=2))
    distance = np.linalg.norm(offset, axis=1)
    assert standard_errors(distance <= float(target.mode_radius()), 1 - np.exp(-4.5)) < Z_MAX


def test_without_noise_the_samples_are_the_centres():
    target = RingOfGaussians(n_modes=7, scale=2.0, noise=0.0)
    _, offset = nearest_mode(target, drawn(target))
    np.testing.assert_allclose(offset, 0.0, atol=1e-6)


@pytest.mark.thorough
def test_a_gaussian_has_its_mean_and_covariance_and_claims_no_modes():
    mean, covariance = [0.3, -1.0, 2.0], [[2.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 0.5]]
    target = Gaussian(mean, covariance)
    y = drawn(target)
    assert standard_errors(y, mean) < Z_MAX
    centred = y - np.array(mean)
    assert standard_errors(centred[:, :, None] * centred[:, None, :], covariance) < Z_MAX
    assert target.dim == 3
    assert target.modes() is None
    assert target.mode_radius() is None
    assert Gaussian([1], [[4]]).sample(jax.random.key(0), 5).shape == (5, 1)


@pytest.mark.parametrize(
    ("mean", "covariance", "field", "fix"),
    [
        ("origin", [[1.0]], "mean", "list of numbers"),
        ([[0.0, 0.0]], [[1.0]], "mean", "list of numbers"),
        ([0.0, "a"], [[1.0, 0.0], [0.0, 1.0]], "mean", "list of numbers"),
        ([0.0, float("nan")], [[1.0, 0.0], [0.0, 1.0]], "mean", "finite"),
        ([0.0, 0.0], [[1.0]], "covariance", "2 lists of 2 numbers"),
        ([0.0, 0.0], [1.0, 1.0], "covariance", "2 lists of 2 numbers"),
        ([0.0, 0.0], [[1.0, 0.0], [0.0]], "covariance", "2 lists of 2 numbers"),
        ([0.0, 0.0, 0.0], [[1.0, 0.6], [0.6, 0.8]], "covariance", "3 lists of 3 numbers"),
        ([0.0], "unit", "covariance", "1 lists of 1 numbers"),
        ([0.0], None, "covariance", "1 lists of 1 numbers"),
        ([0.0, 0.0], [[1.0, 0.5], [0.2, 1.0]], "covariance", "symmetric"),
        ([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]], "covariance", "positive definite"),
        ([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], "covariance", "positive definite"),
        ([0.0], [[float("inf")]], "covariance", "finite"),
        ([0.0, 0.0], [[1.0, float("nan")], [float("nan"), 1.0]], "covariance", "finite"),
    ],
)
def test_a_gaussian_that_does_not_exist_is_refused_by_field_and_fix(mean, covariance, field, fix):
    with pytest.raises(FieldError) as refused:
        Gaussian(mean, covariance)
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert "\n" not in str(refused.value)


def test_a_refused_covariance_is_shown_as_it_was_typed():
    with pytest.raises(FieldError) as refused:
        Gaussian([0.0, 0.0, 1.0], [[1.0, 0.6], [0.6, 1e-9]])
    assert str(refused.value) == "covariance=[[1.0, 0.6], [0.6, 1e-09]]: must be 3 lists of 3 numbers, as mean has 3"


def test_a_gaussian_may_be_made_inside_jit():
    draw = jax.jit(lambda variance: Gaussian(jnp.zeros(2), variance * jnp.eye(2)).sample(jax.random.key(0), 4))
    np.testing.assert_allclose(draw(4.0), 2 * draw(1.0), rtol=1e-6)
