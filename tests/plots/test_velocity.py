import numpy as np
import pytest
from matplotlib.quiver import Quiver

from gmdwgf.plots import grid_over, velocity_on_grid


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)), rng.gamma(2.0, 0.5, size=(90, 2)) * [3.0, 1.0]


def arrows(figure):
    (found,) = [artist for artist in figure.axes[0].collections if isinstance(artist, Quiver)]
    return np.asarray(found.get_offsets()), np.stack([found.U, found.V], axis=1), np.asarray(found.get_array())


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_grid_covers_the_target_and_its_margin(clouds):
    _, y = clouds
    grid = grid_over(y, n=7, margin=0.5)
    assert grid.shape == (49, 2)
    lower, upper = np.quantile(y, [0.005, 0.995], axis=0)
    extent = np.max(upper - lower)
    np.testing.assert_allclose(grid.min(axis=0), lower - 0.5 * extent)
    np.testing.assert_allclose(grid.max(axis=0), upper + 0.5 * extent)
    far = y.copy()
    far[0] = [1e6, np.nan]
    assert np.abs(grid_over(far)).max() < 100


def test_a_grid_lies_in_the_plane():
    with pytest.raises(ValueError, match="3 coordinates"):
        grid_over(np.ones((4, 3)))


def test_arrows_point_along_the_velocity_and_grow_with_the_logarithm_of_the_speed(clouds):
    x, y = clouds
    grid = grid_over(y, n=5)
    angle = np.linspace(0, 5, 25)
    speed = np.geomspace(1e-2, 10.0, 25)
    v = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    where, shown, colour = arrows(velocity_on_grid(grid, v, x, y))
    np.testing.assert_allclose(where, grid)
    length = np.linalg.norm(shown, axis=1)
    np.testing.assert_allclose(shown / length[:, None], v / speed[:, None], atol=1e-12)
    np.testing.assert_allclose(np.diff(length), np.diff(length)[0], rtol=1e-2)
    assert 0.4 < length[0] / length[-1] < 0.6
    np.testing.assert_allclose(colour, speed)


def test_points_at_rest_and_points_that_are_not_finite_get_no_arrow(clouds):
    x, y = clouds
    grid = grid_over(y, n=3)
    v = np.ones((9, 2))
    v[0], v[1], v[2] = 0.0, np.nan, np.inf
    where, _, _ = arrows(velocity_on_grid(grid, v, x, y))
    np.testing.assert_allclose(where, grid[3:])


@pytest.mark.parametrize(("value", "word"), [(np.nan, "diverged"), (0.0, "at rest")])
def test_a_field_without_arrows_says_why(clouds, value, word):
    x, y = clouds
    grid = grid_over(y, n=4)
    assert words(velocity_on_grid(grid, np.full((16, 2), value), x, y)) == [word]


def test_the_panel_has_equal_scales_labels_and_a_speed_bar(clouds):
    x, y = clouds
    grid = grid_over(y, n=4)
    figure = velocity_on_grid(grid, np.ones((16, 2)), x, y, title="a title")
    axes, bar = figure.axes
    assert axes.get_aspect() == 1
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("$x_1$", "$x_2$", "a title")
    assert bar.get_ylabel() == "speed $|v|$"
