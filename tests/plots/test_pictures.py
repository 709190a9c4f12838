"""Figures of pictures: what is shown where."""

import numpy as np
import pytest

from gmdwgf.plots import pictures


def numbered(n, h=3, w=4, channels=1):
    """Pictures that are constant, with the values 0.01, 0.02, ..."""
    return np.broadcast_to(0.01 * (1 + np.arange(n))[:, None, None, None], (n, h, w, channels))


def shown(axes):
    (image,) = axes.images
    return np.asarray(image.get_array())


def test_a_mosaic_goes_row_by_row_with_paper_between():
    canvas = pictures.mosaic(numbered(5), 3)
    assert canvas.shape == (2 * 3 + 2, 3 * 4 + 2 * 2)
    np.testing.assert_allclose(canvas[[0, 0, 0, 5, 5], [0, 6, 12, 0, 6]], [0.01, 0.02, 0.03, 0.04, 0.05])
    assert (canvas[3:5] == 0).all()
    assert (canvas[5:, 12:] == 0).all()
    colour = pictures.mosaic(numbered(5, channels=3), 3)
    assert colour.shape == (8, 16, 3)
    assert (colour[3:5] == 1).all()


def test_a_grid_shows_the_first_pictures_with_values_cut_to_0_and_1():
    wild = numbered(30).copy()
    wild[0], wild[1] = -5, 7
    (axes,) = pictures.picture_grid(wild, "a title", n_columns=5, n_rows=2).axes
    assert axes.get_title() == "a title"
    np.testing.assert_array_equal(shown(axes), pictures.mosaic(wild[:10], 5))
    assert shown(axes).min() == 0
    assert shown(axes).max() == 1


def test_a_grid_by_class_has_a_row_for_every_class_and_empty_places_where_pictures_are_few():
    labels = np.array([2, 0, 2, 2, 0, 2])
    (axes,) = pictures.picture_grid(numbered(6), labels=labels, n_columns=3).axes
    canvas = shown(axes)[1::5, 1::6]
    np.testing.assert_allclose(canvas, [[0.02, 0.05, 0], [0, 0, 0], [0.01, 0.03, 0.04]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0", "1", "2"]


def test_a_strip_shows_the_first_pictures_of_growing_steps():
    figure = pictures.picture_strip([(500, 2 * numbered(9)), (0, numbered(9)), (900, np.nan * numbered(9))], n_shown=4)
    assert [axes.get_title() for axes in figure.axes] == ["step 0", "step 500", "step 900"]
    np.testing.assert_array_equal(shown(figure.axes[1]), pictures.mosaic(2 * numbered(4), 2))
    assert [text.get_text() for text in figure.axes[2].texts] == ["diverged"]


def test_the_histogram_has_a_bar_a_class_and_law():
    (axes,) = pictures.class_histogram([0.5, 0.2, 0.3], [0.4, 0.4, 0.2], "kl").axes
    assert [bar.get_height() for bar in axes.patches] == [0.4, 0.4, 0.2, 0.5, 0.2, 0.3]


@pytest.mark.thorough
def test_the_nearest_row_and_its_ratio_are_those_of_a_slow_loop():
    rng = np.random.default_rng(0)
    x, y = 50 + rng.normal(size=(7, 2, 3)), 50 + rng.normal(size=(11, 2, 3))
    x[2] = y[4]
    found = pictures.nearest(x.astype(np.float32), y.astype(np.float32))
    distances = np.linalg.norm((x[:, None] - y).reshape(7, 11, -1), axis=-1)
    np.testing.assert_array_equal(found.index, distances.argmin(axis=1))
    first, second = np.sort(distances, axis=1)[:, :2].T
    np.testing.assert_allclose(found.ratio, first / second, atol=1e-4)
    assert found.index[2] == 4
    assert found.ratio[2] == pytest.approx(0, abs=1e-5)


def test_the_memorisation_check_shows_every_picture_above_its_nearest():
    x, training = numbered(5), numbered(40)
    found = {"pixels": pictures.Neighbours(np.array([7, 8, 9, 1, 2]), np.array([0.5, 0.9, 1.0, 0.25, 0.75]))}
    figure = pictures.nearest_training(x, training, found, n_shown=3)
    assert len(figure.axes) == 6
    np.testing.assert_allclose([shown(axes)[0, 0] for axes in figure.axes], [0.01, 0.02, 0.03, 0.08, 0.09, 0.1])
    assert [axes.get_xlabel() for axes in figure.axes[3:]] == ["0.50", "0.90", "1.00"]
    assert figure.axes[3].get_ylabel() == "nearest in\npixels"


def test_between_two_noises_lies_the_great_circle_with_its_ends():
    start, end = np.array([3.0, 0.0, 0.0]), np.array([0.0, 5.0, 0.0])
    path = pictures.between(start, end, 5)
    np.testing.assert_allclose(path[[0, -1]], [start, end], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), [3, 3.5, 4, 4.5, 5])
    np.testing.assert_allclose(np.arctan2(path[:, 1], path[:, 0]), np.linspace(0, np.pi / 2, 5), atol=1e-12)
    np.testing.assert_allclose(pictures.between(start, 2 * start, 3)[1], 1.5 * start)


def test_interpolations_have_a_row_for_every_pair():
    def as_picture(z):
        return np.broadcast_to(np.abs(z[:, :1, None, None]) / 10, (len(z), 2, 2, 1))

    z = np.array([[3.0, 0.0], [0.0, 5.0], [8.0, 0.0], [2.0, 0.0]], np.float32)
    (axes,) = pictures.interpolations(as_picture, z, n_between=3).axes
    canvas = shown(axes)[::4, ::4]
    np.testing.assert_allclose(canvas[:, [0, 2]], [[0.3, 0.0], [0.8, 0.2]], atol=1e-6)
    np.testing.assert_allclose(canvas[:, 1], [0.4 * np.sqrt(0.5), 0.5], atol=1e-6)


def test_a_row_of_a_class_has_its_name():
    grid = pictures.picture_grid(numbered(6), labels=np.arange(6) % 3, n_columns=2, class_names=("cat", "dog", "elk"))
    (axes,) = grid.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "elk"]
