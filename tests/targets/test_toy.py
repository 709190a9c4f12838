"""The plane shapes against their constructions and closed-form moments."""

import numpy as np
import pytest

from gmdwgf.targets.toy import Checkerboard, Circles, Pinwheel, SwissRoll, TwoMoons
from tests.targets.gates import CHANCE, Z_MAX, N, chi_square_p, drawn, standard_errors


@pytest.mark.thorough
def test_circles_have_two_radii_with_half_the_mass_each_and_every_angle():
    y = drawn(Circles(scale=3.0, inner=0.4, noise=0.0))
    r, angle = np.hypot(*y.T), np.arctan2(y[:, 1], y[:, 0])
    outer = r > 2.1
    np.testing.assert_allclose(r, np.where(outer, 3.0, 1.2), rtol=1e-5)
    assert standard_errors(outer, 0.5) < Z_MAX
    for part in (outer, ~outer):
        counts = np.histogram(angle[part], bins=24, range=(-np.pi, np.pi))[0]
        assert chi_square_p(counts, np.full(24, 1 / 24)) > CHANCE


MOMENTS = {  # target without noise: mean, mean square length, mean of the product of the coordinates
    "circles": (lambda noise: Circles(2.0, 0.5, noise), (0, 0), 2.5, 0),
    "swiss_roll": (lambda noise: SwissRoll(2.0, noise), (8 / (9 * np.pi), 8 / (27 * np.pi**2)), 52 / 27, None),
    "checkerboard": (lambda noise: Checkerboard(2.0, noise), (0, 0), 8 / 3, 1 / 4),
    "two_moons": (lambda noise: TwoMoons(2.0, noise), (0, 0), 4 * (1.3125 - 1 / np.pi), 4 * (1 / 8 - 1 / np.pi)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("noise", [0.0, 0.4])
@pytest.mark.parametrize("name", MOMENTS)
def test_moments_are_those_of_the_construction_and_noise_adds_its_variance(name, noise):
    make, mean, square, product = MOMENTS[name]
    y = drawn(make(noise))
    assert standard_errors(y, mean) < Z_MAX
    assert standard_errors((y**2).sum(axis=1), square + 2 * noise**2) < Z_MAX
    if product is not None:
        assert standard_errors(y[:, 0] * y[:, 1], product) < Z_MAX


def test_the_arms_of_a_pinwheel_turn_clockwise_by_twist_times_exp_radius():
    y = drawn(Pinwheel(n_arms=5, scale=2.0, radial_noise=0.2, noise=0.0, twist=0.25)) / 2.0
    r, angle = np.hypot(*y.T), np.arctan2(y[:, 1], y[:, 0])
    assert standard_errors(r, 1.0) < Z_MAX
    assert standard_errors((r - 1) ** 2, 0.04) < Z_MAX
    arm = -(angle + 0.25 * np.exp(r)) * 5 / (2 * np.pi)
    np.testing.assert_allclose(arm, np.round(arm), atol=1e-4)
    assert chi_square_p(np.bincount(np.round(arm).astype(int) % 5, minlength=5), np.full(5, 0.2)) > CHANCE


@pytest.mark.thorough
def test_the_noise_of_a_pinwheel_is_across_its_arms_and_in_units_of_scale():
    y = drawn(Pinwheel(n_arms=1, scale=2.0, radial_noise=0.3, noise=0.1, twist=0.0))
    assert standard_errors(y, (2.0, 0.0)) < Z_MAX
    assert standard_errors((y - (2.0, 0.0)) ** 2, (0.36, 0.04)) < Z_MAX


def test_a_pinwheel_has_the_moments_of_the_code_of_its_paper():
    # As published: features times rotation matrices, NumPy, row vectors.
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, 2)) * (0.3, 0.1) + (1, 0)
    angle = 2 * np.pi / 5 * rng.integers(5, size=N) + 0.25 * np.exp(features[:, 0])
    rotations = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)]).T.reshape(N, 2, 2)
    theirs = np.einsum("ti,tij->tj", features, rotations) @ [1, 1j]
    ours = drawn(Pinwheel(n_arms=5, scale=1.0, radial_noise=0.3, noise=0.1, twist=0.25)) @ [1, 1j]
    for power in ((lambda z: z**5), (lambda z: z**5 / abs(z) ** 4), (lambda z: z)):  # z^5 is blind to the arm
        a, b = power(theirs), power(ours)
        error = np.sqrt((a.var() + b.var()) / N)
        assert abs(a.mean() - b.mean()) < Z_MAX * error
    assert abs((ours**5).mean()) > 20 * np.sqrt((ours**5).var() / N)


def test_a_swiss_roll_is_a_spiral_of_one_turn_and_a_half_that_ends_at_scale():
    y = drawn(SwissRoll(scale=2.0, noise=0.0))
    t = np.hypot(*y.T) / 2.0 * 4.5 * np.pi
    assert 1.5 * np.pi - 1e-4 <= t.min() < 1.52 * np.pi
    assert 4.48 * np.pi < t.max() <= 4.5 * np.pi + 1e-4
    np.testing.assert_allclose(y, 2 / (4.5 * np.pi) * np.stack([t * np.cos(t), t * np.sin(t)], axis=1), atol=1e-4)
    counts = np.histogram(t, bins=20, range=(1.5 * np.pi, 4.5 * np.pi))[0]
    assert chi_square_p(counts, np.full(20, 0.05)) > CHANCE


@pytest.mark.thorough
def test_a_checkerboard_fills_eight_squares_alike_and_the_lower_left_one_is_dark():
    y = drawn(Checkerboard(scale=2.0, noise=0.0))
    column, row = np.clip(np.floor(y).astype(int) + 2, 0, 3).T
    counts = np.zeros((4, 4))
    np.add.at(counts, (row, column), 1)
    dark = (np.add.outer(np.arange(4), np.arange(4)) + 1) % 2
    assert counts[0, 0] > 0
    assert counts[dark == 0].sum() == 0
    assert chi_square_p(counts, dark / 8) > CHANCE


@pytest.mark.thorough
def test_two_moons_are_half_circles_the_upper_one_on_the_left():
    y = drawn(TwoMoons(scale=2.0, noise=0.0)) / 2.0
    upper = (np.abs(np.hypot(y[:, 0] + 0.5, y[:, 1] + 0.25) - 1) < 1e-4) & (y[:, 1] > -0.2501)
    lower = (np.abs(np.hypot(y[:, 0] - 0.5, y[:, 1] - 0.25) - 1) < 1e-4) & (y[:, 1] < 0.2501)
    assert (upper | lower).all()
    assert standard_errors(upper, 0.5) < Z_MAX
