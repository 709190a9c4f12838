import numpy as np
import pytest

from gmdwgf.plots import metric_curves

FLOOR = {"mmd2": (1e-5, 2e-5)}


def records(mmd2, v_rms=None, every=100):
    rows = [{"step": every * k, "mmd2": value} for k, value in enumerate(mmd2)]
    if v_rms is not None:
        rows = [row | {"v_rms": value} for row, value in zip(rows, v_rms, strict=True)]
    return rows


def curve(axes):
    (line,) = [line for line in axes.lines if line.get_label() != "diverged"]
    return line.get_xdata(), line.get_ydata()


def legend(figure):
    return [text.get_text() for shown in figure.legends for text in shown.get_texts()]


def test_each_metric_has_its_panel_with_step_and_label():
    figure = metric_curves(records([0.3, 0.03, 0.003], [1.5, 0.5, 0.1]), FLOOR)
    assert [axes.get_ylabel() for axes in figure.axes] == ["MMD²", "rms $|v|$"]
    assert figure.axes[-1].get_xlabel() == "step"
    np.testing.assert_array_equal(curve(figure.axes[0]), [[0, 100, 200], [0.3, 0.03, 0.003]])
    np.testing.assert_array_equal(curve(figure.axes[1]), [[0, 100, 200], [1.5, 0.5, 0.1]])


def test_the_floor_is_a_band_of_two_standard_deviations_about_its_mean():
    figure = metric_curves(records([0.3, 1e-3, -2e-5]), FLOOR)
    (band,) = figure.axes[0].patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((-3e-5, 5e-5))
    assert legend(figure) == ["data vs data"]


def test_negative_values_are_shown_on_an_axis_that_is_linear_within_the_band():
    (axes,) = metric_curves(records([0.3, 1e-3, -2e-5, 1e-5]), FLOOR).axes
    assert axes.get_yscale() == "symlog"
    assert axes.yaxis.get_transform().linthresh == pytest.approx(5e-5)
    lower, upper = axes.get_ylim()
    assert lower < -3e-5
    assert upper > 0.3
    assert 0.0 in axes.get_yticks()


def test_positive_values_of_many_sizes_are_on_a_logarithmic_axis_that_shows_the_band_too():
    (axes,) = metric_curves(records([0.3, 1e-2, 1e-3]), FLOOR).axes
    assert axes.get_yscale() == "log"
    assert 0 < axes.get_ylim()[0] < 5e-5


@pytest.mark.parametrize("values", [[0.2, 0.19], [0.0, 0.0], [0.0, 0.3], [-0.1, -0.2], [0.2]])
def test_values_of_one_size_are_on_a_linear_axis_with_ticks(values):
    (axes,) = metric_curves(records(values), {}).axes
    assert axes.get_yscale() == "linear"
    lower, upper = axes.get_ylim()
    assert lower < min(values) <= max(values) < upper
    assert sum(lower <= tick <= upper for tick in axes.get_yticks()) >= 2


@pytest.mark.parametrize("smallest", [0.012, 0.003, 1e-4, 1e-9, 1e-30])
def test_a_logarithmic_axis_has_two_to_seven_ticks(smallest):
    (axes,) = metric_curves(records([0.9, smallest]), {}).axes
    lower, upper = axes.get_ylim()
    assert 2 <= sum(lower <= tick <= upper for tick in axes.get_yticks()) <= 7


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_step_of_divergence_is_marked_and_what_came_before_is_shown(bad):
    figure = metric_curves(records([0.3, 0.2, bad, bad]), FLOOR)
    (axes,) = figure.axes
    np.testing.assert_array_equal(curve(axes)[0], [0, 100])
    (mark,) = [line for line in axes.lines if line.get_label() == "diverged"]
    assert mark.get_xdata()[0] == 200
    assert "diverged" in legend(figure)


@pytest.mark.parametrize("rows", [records([float("nan")] * 2), []])
def test_a_run_without_any_finite_value_gives_an_empty_panel(rows):
    (axes,) = metric_curves(rows, FLOOR).axes
    assert [text.get_text() for text in axes.texts] == ["diverged" if rows else "no record"]


def test_a_floor_that_is_not_finite_is_not_drawn():
    assert legend(metric_curves(records([0.3, 0.2]), {"mmd2": (float("nan"), 1.0)})) == []
