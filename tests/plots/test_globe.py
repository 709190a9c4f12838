"""Points of the sphere on maps and globes, and points of a torus by angles."""

import numpy as np
import pytest

from gmdwgf.plots import samples_and_curve
from gmdwgf.plots.angles import angle_strip, angles_over_target
from gmdwgf.plots.charts import chart_of, sample_figures
from gmdwgf.plots.globe import angles_of, front_of, globes_and_maps, map_strip, seen_from


def cap(n, seed=0, centre=(0.5, 0.6, 0.4)):
    """Points around a direction, spread over a third of the sphere."""
    points = np.array(centre) + 0.4 * np.random.default_rng(seed).normal(size=(n, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def drawn(axes):
    return {dots.get_label(): np.asarray(dots.get_offsets()) for dots in axes.collections}


def test_angles_and_views_are_those_of_the_earth():
    places = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, 1], [np.sqrt(0.5), 0, -np.sqrt(0.5)]])
    np.testing.assert_allclose(np.degrees(angles_of(places)), [[0, 0], [90, 0], [180, 0], [0, 90], [0, -45]])
    flat, is_seen = seen_from(places, 90.0)  # east is to the right: the prime meridian lies west of 90 degrees east
    np.testing.assert_allclose(flat, [[-1, 0], [0, 0], [1, 0], [0, 1], [-np.sqrt(0.5), -np.sqrt(0.5)]], atol=1e-12)
    assert is_seen[1]
    assert not seen_from(places, -90.0)[1][1]


def test_the_front_shows_a_cap_whole():
    for longitude in (-160, -75, 10, 110):
        turn = np.radians(longitude)
        y = cap(200, centre=(2 * np.cos(turn), 2 * np.sin(turn), 0.3))
        assert seen_from(y, front_of(y))[1].all()


def test_target_and_samples_have_equally_many_points_on_the_same_axes():
    x, y, training = cap(300), cap(250, 1), cap(900, 2)
    figure = globes_and_maps(x, y, "a title", modes=[[1.0, 0, 0]], drift="kl", behind=training)
    target_map, *target_globes, sample_map, first, second = figure.axes
    assert [axes.get_title() for axes in (target_map, sample_map)] == ["target, 250 points", "generated, 250 points"]
    np.testing.assert_allclose(drawn(target_map)["target"], angles_of(y))
    np.testing.assert_allclose(drawn(sample_map)["generated"], angles_of(x[:250]))
    np.testing.assert_allclose(drawn(sample_map)["training points"], angles_of(training))
    np.testing.assert_allclose(drawn(sample_map)["modes"], [[0.0, 0.0]])
    assert len(drawn(first)["generated"]) + len(drawn(second)["generated"]) == 250
    for axes, other in zip(target_globes, (first, second), strict=True):
        assert (axes.get_xlim(), axes.get_title()) == (other.get_xlim(), other.get_title())


def test_a_side_without_samples_is_not_called_diverged():
    x, y = cap(40), np.concatenate([cap(30), -cap(30)])
    words = lambda x: [text.get_text() for axes in globes_and_maps(x, y).axes for text in axes.texts]
    assert "diverged" not in words(x)
    assert words(np.full_like(x, np.nan)).count("diverged") == 3


def test_a_strip_of_maps_has_one_map_for_each_step():
    y = cap(40)
    assert [axes.get_title() for axes in map_strip([(10, y), (0, y)], y).axes] == ["step 0", "step 10"]


def test_angles_are_drawn_in_degrees_between_minus_180_and_180():
    y = np.array([[3.2, 0.1, -1.0], [-0.5, 2.0, 1.0], [0.2, 0.3, 0.4]])
    figure = angles_over_target(y[:2], y, modes=y[:1], drift="kl", names=["phi", "psi", "omega"])
    assert len(figure.axes) == 6  # three pairs
    _, generated = figure.axes[:2]
    assert (generated.get_xlabel(), generated.get_ylabel()) == ("phi (degrees)", "psi (degrees)")
    assert generated.get_xlim() == generated.get_ylim() == (-180, 180)
    np.testing.assert_allclose(
        drawn(generated)["generated"], [[np.degrees(3.2) - 360, np.degrees(0.1)], np.degrees([-0.5, 2.0])]
    )
    np.testing.assert_allclose(drawn(generated)["modes"], [[np.degrees(3.2) - 360, np.degrees(0.1)]])
    assert [axes.get_title() for axes in angle_strip([(0, y), (5, y)], y).axes] == ["step 0", "step 5"]


@pytest.mark.parametrize(
    ("manifold", "dim", "chart", "names"),
    [
        ("sphere", 3, "globe", {"samples", "strip"}),
        ("torus", 2, "angles", {"samples", "strip"}),
        ("sphere", 4, "plane", {"samples", "strip", "pairs"}),
        ("euclidean", 2, "plane", {"samples", "strip"}),
    ],
)
def test_the_chart_follows_the_manifold_and_a_diverged_run_still_has_its_figures(manifold, dim, chart, names):
    assert chart_of(manifold, dim) == chart
    y = np.random.default_rng(0).normal(size=(30, dim))
    assert set(sample_figures([(0, y), (10, y * np.nan)], y, chart, modes=y[:2])) == names
    records = [{"step": 0, "seconds": 0.0, "mmd2": 0.2}, {"step": 10, "seconds": 1.0, "mmd2": 0.1}]
    left, right = samples_and_curve(y, y, records, {"mmd2": (0.0, 0.01)}, modes=y[:2], drift="kl", chart=chart).axes
    assert len(drawn(left)["modes"]) == 2
    assert right.get_xlabel()
