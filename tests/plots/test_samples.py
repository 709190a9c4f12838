import numpy as np
import pytest

from gmdwgf.plots import colour_of, grid_over, sample_strip, samples_over_target, velocity_on_grid
from gmdwgf.plots.samples import view_of


def clouds(d=2, n=300, m=400, seed=0):
    """A skewed target of unequal extents, and samples about it."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 0.5, size=(m, d)) * np.linspace(3.0, 1.0, d)
    return y[rng.integers(0, m, n)] + 0.1 * rng.normal(size=(n, d)), y


def drawn(axes):
    """The points of each scatter of a panel, by label."""
    return {dots.get_label(): np.asarray(dots.get_offsets()) for dots in axes.collections}


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_both_clouds_are_drawn_where_they_are_with_equal_scales():
    x, y = clouds()
    (axes,) = samples_over_target(x, y, "a title", modes=[[1.0, 2.0]]).axes
    assert axes.get_aspect() == 1
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("$x_1$", "$x_2$", "a title")
    points = drawn(axes)
    np.testing.assert_allclose(points["generated"], x)
    np.testing.assert_allclose(points["target"], y)
    np.testing.assert_allclose(points["modes"], [[1.0, 2.0]])


def test_a_drift_has_one_colour_in_every_figure():
    x, y = clouds()
    one = samples_over_target(x, y, drift="sinkhorn").axes[0].collections[1].get_facecolor()
    strip = sample_strip([(0, x)], y, drift="sinkhorn").axes[0].collections[1].get_facecolor()
    np.testing.assert_array_equal(one, strip)
    assert len({colour_of(drift) for drift in ("sinkhorn", "kl", "mmd", "deng", "sliced_wasserstein")}) == 5
    assert colour_of("a drift of my own") == colour_of("a drift of my own")


def test_the_limits_hold_the_target_and_ignore_outliers_of_both_clouds():
    x, y = clouds()
    plain = samples_over_target(x, y).axes[0]
    limits = [*plain.get_xlim(), *plain.get_ylim()]
    lower, upper = np.quantile(y, [0.005, 0.995], axis=0)
    assert limits[0] < lower[0] < upper[0] < limits[1]
    assert limits[2] < lower[1] < upper[1] < limits[3]
    far_x, far_y = x.copy(), y.copy()
    far_x[:30] *= 1e6
    far_y[0] = 1e6
    wild = samples_over_target(far_x, far_y).axes[0]
    np.testing.assert_allclose([*wild.get_xlim(), *wild.get_ylim()], limits, rtol=0.1, atol=0.05)


def test_a_panel_says_how_many_samples_it_does_not_show():
    _, y = clouds(m=400)
    x = np.median(y, axis=0) + 0.1 * (y - np.median(y, axis=0))
    assert words(samples_over_target(x, y).axes[0]) == []
    x[:60], x[60:100] = 1e6, np.nan
    assert words(samples_over_target(x, y).axes[0]) == ["25% outside"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_run_gives_an_empty_panel_that_says_so(value):
    x, y = clouds()
    (axes,) = samples_over_target(np.full_like(x, value), y).axes
    assert words(axes) == ["diverged"]
    assert drawn(axes) == {}
    assert axes.get_xlim() == samples_over_target(x, y).axes[0].get_xlim()


def test_one_coordinate_is_drawn_as_densities():
    x, y = clouds(d=1)
    (axes,) = samples_over_target(x[:, 0], y, modes=[1.0]).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x$", "density")
    for stairs in axes.patches:
        data = stairs.get_data()
        assert 0.98 < np.sum(data.values * np.diff(data.edges)) <= 1 + 1e-12


def test_many_coordinates_are_seen_along_the_two_directions_in_which_the_target_is_widest():
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    y = rng.normal(size=(5000, 6)) * [1.0, 9.0, 0.5, 3.0, 0.5, 0.5] @ turn + 7.0
    view = view_of(y)
    np.testing.assert_allclose(np.abs(view.directions @ turn.T)[:, [1, 3]], np.eye(2), atol=0.05)
    np.testing.assert_allclose(view.directions, view_of(y[::-1]).directions, atol=1e-8)
    (axes,) = samples_over_target(y[:100], y).axes
    assert axes.get_xlabel() == "first principal component"
    np.testing.assert_allclose(drawn(axes)["generated"], (y[:100] - y.mean(axis=0)) @ view.directions.T)


def test_a_strip_shows_growing_steps_on_the_same_axes():
    x, y = clouds()
    figure = sample_strip([(200, x + 0.1), (0, x), (1000, x * np.nan)], y)
    assert [axes.get_title() for axes in figure.axes] == ["step 0", "step 200", "step 1000"]
    np.testing.assert_allclose(drawn(figure.axes[1])["generated"], x + 0.1)
    assert words(figure.axes[2]) == ["diverged"]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1


def test_a_strip_of_many_snapshots_keeps_the_first_the_last_and_some_between():
    x, y = clouds(n=5, m=50)
    shown = [axes.get_title() for axes in sample_strip([(500 * k, x) for k in range(9)], y).axes]
    assert shown == [f"step {step}" for step in (0, 500, 1000, 1500, 2500, 4000)]


def test_names_of_coordinates_are_written_at_the_axes_as_they_are():
    x, y = clouds()
    names = ["length (cm)", "$price_2$ " + "long " * 20]
    for figure in (
        samples_over_target(x, y, names=names),
        velocity_on_grid(grid_over(y), np.ones((625, 2)), x, y, names=names),
    ):
        axes = figure.axes[0]
        assert axes.get_xlabel() == "length (cm)"
        assert axes.get_ylabel() == r"\$price_2\$ " + "long " * 5 + "lo..."
        figure.draw_without_rendering()
    (axes,) = samples_over_target(x[:, :1], y[:, :1], names=["size"]).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("size", "density")
