"""Pairs of columns, axes of unlike extents, and views of columns of unlike spreads."""

import numpy as np

from gmdwgf.plots import pairs_of_columns, samples_over_target
from gmdwgf.plots.samples import view_of
from gmdwgf.plots.style import is_unlike

RNG = np.random.default_rng(0)


def test_the_columns_of_largest_spread_are_drawn_with_their_names():
    y = RNG.normal(size=(60, 6)) * [1, 5, 2, 0.1, 4, 3]
    figure = pairs_of_columns(y[:40], y, [f"c{i}" for i in range(6)], "kl")
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 10
    assert [axes.get_xlabel() for axes in shown[-4:]] == ["c1", "c2", "c4", "c5"]


def test_coordinates_of_unlike_extents_have_axes_of_their_own():
    y = RNG.normal(size=(400, 2)) * [0.001, 1000]
    axes = samples_over_target(y, y).axes[0]
    assert axes.get_aspect() == "auto"
    assert np.ptp(axes.get_xlim()) < 0.02
    assert samples_over_target(y * [1000, 0.001], y * [1000, 0.001]).axes[0].get_aspect() == 1
    assert not is_unlike(np.zeros(2), np.array([1.0, 3.0]))


def test_principal_components_are_those_of_scaled_columns_where_spreads_are_unlike():
    """Two columns that go together, and one of a thousand times their spread that goes with none."""
    common = RNG.normal(size=(2000, 1))
    y = np.c_[common + 0.1 * RNG.normal(size=(2000, 2)), 1000 * RNG.normal(size=2000)]
    seen = view_of(y)(y)
    assert abs(np.corrcoef(seen[:, 0], common[:, 0])[0, 1]) > 0.99
    alike = view_of(y / [1, 1, 500])
    assert abs(np.corrcoef(alike(y / [1, 1, 500])[:, 0], y[:, 2])[0, 1]) > 0.9
