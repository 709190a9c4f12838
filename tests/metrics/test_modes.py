"""Mode masses and coverage on clouds that can be counted by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.manifolds import Sphere, Torus
from gmdwgf.metrics.modes import Modes, mode_counts, mode_metrics

CENTRES = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
DUE = jnp.array([0.5, 0.3, 0.2])
MODES = Modes(CENTRES, DUE, 0.8)


def cloud(*points_and_counts):
    return jnp.concatenate([jnp.tile(jnp.array([point], float), (count, 1)) for point, count in points_and_counts])


@pytest.mark.thorough
def test_samples_are_counted_by_nearest_mode_and_apart_when_within_the_radius():
    x = cloud(((0.7, 0), 3), ((0.85, 0), 2), ((4, 0.79), 4), ((9, 0), 1), ((0, 3.5), 5))
    belonging, is_on = mode_counts(x, MODES)
    assert belonging.tolist() == [5, 5, 5]
    assert is_on.tolist() == [3, 4, 5]


@pytest.mark.thorough
def test_a_sample_at_the_radius_is_on_the_mode():
    square = Modes(jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]]), jnp.full(4, 0.25), 0.5)
    assert mode_counts(cloud(((0.5, 0), 2), ((4, 0.51), 1)), square)[1].tolist() == [2, 0, 0, 0]


@pytest.mark.thorough
def test_near_and_the_mass_ratios_are_relative_to_the_due_masses():
    x = cloud(((0, 0), 10), ((4, 0), 3), ((4, 1.5), 3), ((0, 4), 4))
    values = mode_metrics(x, MODES)
    np.testing.assert_allclose(values["near"], 17 / 20, rtol=1e-6)
    np.testing.assert_allclose(values["mass_min"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(values["mass_max"], 1.0, rtol=1e-6)
    values = mode_metrics(cloud(((0, 0), 5), ((4, 0), 3), ((0, 4), 12)), MODES)
    np.testing.assert_allclose(values["mass_min"], (3 / 20) / 0.3, rtol=1e-6)
    np.testing.assert_allclose(values["mass_max"], (12 / 20) / 0.2, rtol=1e-6)


@pytest.mark.thorough
def test_a_dropped_mode_is_not_covered_and_has_mass_zero():
    values = mode_metrics(cloud(((0, 0), 50), ((4, 0), 50)), MODES)
    assert (int(values["covered"]), int(values["n_modes"])) == (2, 3)
    assert values["mass_min"] == 0
    assert int(mode_metrics(cloud(((0, 0), 50), ((4, 0), 30), ((0, 4), 20)), MODES)["covered"]) == 3


@pytest.mark.thorough
@pytest.mark.parametrize(("n_on", "covered"), [(41, 3), (40, 3), (39, 2)])
def test_a_mode_is_covered_from_a_quarter_of_its_due_mass_within_the_radius(n_on, covered):
    modes = Modes(CENTRES, jnp.array([0.5, 0.25, 0.25]), 0.8)  # of 640 samples the third is due 160
    x = cloud(((0, 0), 320), ((4, 0), 160), ((0, 4), n_on), ((0, 6), 160 - n_on))
    assert mode_counts(x, modes)[0].tolist() == [320, 160, 160]
    assert int(mode_metrics(x, modes)["covered"]) == covered


@pytest.mark.thorough
def test_modes_in_many_dimensions_far_from_the_origin_are_told_apart():
    rng = np.random.default_rng(0)
    centres = 100 + rng.normal(size=(4, 40))
    x = np.repeat(centres, [1, 2, 3, 4], axis=0) + 0.01 * rng.normal(size=(10, 40))
    modes = Modes(jnp.asarray(centres, "float32"), jnp.full(4, 0.25), 0.2)
    belonging, is_on = mode_counts(jnp.asarray(x, "float32"), modes)
    assert belonging.tolist() == is_on.tolist() == [1, 2, 3, 4]


def test_on_a_torus_a_sample_across_the_cut_is_on_its_mode():
    modes = Modes(jnp.array([[3.1, 0.0], [2.0, 0.0]]), jnp.array([0.6, 0.4]), 0.5)
    belonging, is_on = mode_counts(cloud(((-3.1, 0), 3), ((-2.9, 0.5), 1), ((2.2, 0.4), 2)), modes, Torus())
    assert (belonging.tolist(), is_on.tolist()) == ([4, 2], [3, 2])


def test_on_a_sphere_the_radius_is_an_angle():
    modes = Modes(jnp.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), jnp.array([0.5, 0.5]), 0.7)
    at = lambda angle: (np.sin(angle), 0, np.cos(angle))  # 0.72 radians are a chord of 0.705
    x = cloud((at(0.69), 2), (at(0.72), 1), (at(1.0), 3), (at(-2.0), 1))
    belonging, is_on = mode_counts(x, modes, Sphere())
    assert (belonging.tolist(), is_on.tolist()) == ([4, 3], [2, 3])
