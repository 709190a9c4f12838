import base64

import numpy as np
import pytest

from gmdwgf.reports import samples


def unpack(text, shape):
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(*shape, 2).astype(float)


@pytest.fixture
def y():
    return np.random.default_rng(0).gamma(2.0, size=(500, 2)) * [1.0, 3.0] - 1


def test_points_come_back_to_a_three_thousandth_of_a_percent_of_the_panel(y):
    window = samples.window_of(y)
    x = y[:60].reshape(3, 20, 2)
    back = unpack(window.pack(x), (3, 20)) / samples.VISIBLE * window.half + window.centre
    np.testing.assert_allclose(back, x, atol=window.half / samples.VISIBLE)


def test_a_panel_is_square_and_holds_nearly_all_targets(y):
    packed = unpack(samples.window_of(y).pack(y), (500,))
    assert np.mean(np.abs(packed).max(axis=1) <= samples.VISIBLE) > 0.97
    scale = np.polyfit(y[:, 0], packed[:, 0], 1)[0], np.polyfit(y[:, 1], packed[:, 1], 1)[0]
    np.testing.assert_allclose(*scale, rtol=0.02)


def test_far_points_stay_out_of_the_panel_and_what_is_not_finite_is_marked(y):
    cloud = np.array([[1e9, 0.0], [np.nan, 0.0], [0.0, -np.inf]])
    packed = unpack(samples.window_of(y).pack(cloud), (3,))
    assert packed[0, 0] == 32767
    assert (packed[1:] == -32768).all()


@pytest.mark.parametrize("d", [1, 5])
def test_other_dimensions_fill_the_plane(d):
    y = np.random.default_rng(0).normal(size=(200, d)) * np.arange(d, 0, -1)
    packed = unpack(samples.window_of(y).pack(y), (200,))
    assert (packed.std(axis=0) > samples.VISIBLE / 10).all()


def test_steps_are_thinned_evenly_in_their_logarithm_and_keep_both_ends():
    steps = np.arange(0, 10001, 100)
    chosen = steps[samples.spread_out(steps, 5)]
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 10000, 5)
    ratios = chosen[2:] / chosen[1:-1]
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=0.1)
    assert samples.spread_out(steps[:4], 5) == [0, 1, 2, 3]


@pytest.mark.parametrize("n_runs", [1, 40, 1000, 5000])
def test_a_page_keeps_to_its_budget(n_runs):
    n_frames, n_points = samples.size(n_runs, n_frames=30)
    assert 2 <= n_frames <= samples.MAX_FRAMES
    assert n_runs * n_frames * n_points * 4 <= samples.BUDGET
