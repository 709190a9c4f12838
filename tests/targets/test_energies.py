"""Unnormalised densities: their reference samples have their law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.fields import FieldError
from gmdwgf.targets.energies import ENERGIES, OwnEnergyTarget
from tests.targets.gates import Z_MAX, standard_errors


def tilted(point):
    """A normal law of mean (.5, 0) and variances (1, .25), up to a factor."""
    return point[0] / 2 - point[0] ** 2 / 2 - 2 * point[-1] ** 2 + 7.0


@jax.jit
def samples_and_scores(target, key):
    y = target.sample(key, 20_000)
    return y, jax.grad(lambda y: jnp.sum(target.log_density(y)))(y)


@pytest.mark.parametrize("name", ENERGIES)
def test_steins_identities_hold_for_the_reference_samples(name):
    """E[grad log p] = 0, E[x_k (grad log p)_l] = -(k = l): for the law of the samples and for hardly any other."""
    target = gmdwgf.load_target("energy", energy=name, dimension=3, scale=1.7)
    y, score = (np.asarray(array, float) for array in samples_and_scores(target, jax.random.key(1)))
    assert y.shape == (20_000, 3)
    assert standard_errors(score, 0.0) < Z_MAX
    assert standard_errors(y[:, :, None] * score[:, None], -np.eye(3)) < Z_MAX
    assert standard_errors(y**2 * score, -2 * y.mean(axis=0)) < Z_MAX


def test_an_own_density_is_sampled_on_its_grid():
    target = OwnEnergyTarget(tilted, 2, 5.0, 200)
    y = np.asarray(jax.jit(lambda key: target.sample(key, 20_000))(jax.random.key(0)), float)
    assert standard_errors(y, [0.5, 0.0]) < Z_MAX
    cell = 10 / 200
    assert standard_errors((y - [0.5, 0.0]) ** 2, [1 + cell**2 / 12, 0.25 + cell**2 / 12]) < Z_MAX
    assert np.abs(y).max() <= 5
    np.testing.assert_allclose(target.log_density(jnp.ones((4, 2))), [tilted(np.ones(2))] * 4, rtol=1e-6)


def test_modes_of_the_mixture_are_where_its_samples_are():
    target = gmdwgf.load_target("energy", dimension=3, scale=2.0)
    y, _ = samples_and_scores(target, jax.random.key(2))
    centres, masses = target.modes()
    belongs = np.argmin(np.sum((np.asarray(y)[:, None] - np.asarray(centres)) ** 2, axis=2), axis=1)
    shares = (belongs[:, None] == np.arange(4)).astype(float)
    assert standard_errors(shares, np.asarray(masses)) < Z_MAX + 4 / len(y)
    near = np.linalg.norm(np.asarray(y) - np.asarray(centres)[belongs], axis=1) < float(target.mode_radius())
    assert 0.96 < near.mean() < 0.98  # three standard deviations in three dimensions: .9707
    assert gmdwgf.load_target("energy", energy="funnel").modes() is None


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("no.such.function", "cannot be imported"),
        (lambda point: jnp.stack([point, point]), "reshape"),
        (None, "NoneType"),
    ],
)
def test_a_function_that_is_no_density_is_refused_in_one_line(function, said):
    with pytest.raises(FieldError, match=f"^function=.*must be a JAX function.*{said}") as refused:
        OwnEnergyTarget(function, 2, 5.0, 200)
    assert "\n" not in str(refused.value)
