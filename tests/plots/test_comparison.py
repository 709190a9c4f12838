import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from PIL import Image

from gmdwgf.plots.comparison import FORMATS, Final, Row, Samples, curves_by_drift, finals_by_setting, sample_grid
from gmdwgf.plots.palette import DRIFTS
from gmdwgf.plots.style import colour_of, drift_styles
from gmdwgf.report import main
from tests.runs.folders import make_run

STYLES = drift_styles(["kl", "mmd"])
OBJECTIVES = ("kl", "reverse_kl", "js", "chi2")


def curves(of_kl, floor=None, **more):
    """A figure with the curve of `kl` and those of other metrics."""
    return curves_by_drift({"MMD²": ({"kl": of_kl}, floor), **more}, STYLES)


def test_a_curve_is_the_mean_of_the_seeds_in_a_band_from_the_lowest_to_the_highest():
    figure = curves([(0, [1.0, 3.0]), (10, [0.1, 0.2])], (-0.01, 0.01))
    (axes,) = figure.axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [2.0, 0.15])
    assert to_hex(line.get_color()) == colour_of("kl").lower()
    assert line.get_marker() == STYLES["kl"].marker
    corners = axes.collections[0].get_paths()[0].vertices
    for corner in ((0, 1.0), (0, 3.0), (10, 0.1), (10, 0.2)):
        assert corner in set(map(tuple, corners))


def test_every_metric_has_a_panel_and_the_legend_names_every_drift_once():
    kl, mmd = [(0, [1.0]), (10, [0.1])], [(0, [1.0]), (10, [0.1])]  # the curves coincide
    figure = curves(kl, gap=({"kl": kl, "mmd": mmd}, (0.0, 3.0)))
    assert [axes.get_ylabel() for axes in figure.axes] == ["MMD²", "gap"]
    assert figure.get_figwidth() == 6.75
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["kl", "mmd", "data vs data"]


def test_values_below_zero_have_a_place_on_the_axis():
    (axes,) = curves([(0, [1.0]), (10, [-0.001])], (-0.002, 0.002)).axes
    assert axes.get_yscale() == "symlog"
    assert axes.get_ylim()[0] < -0.001


def test_lost_seeds_are_crosses_above_the_axis_which_the_legend_explains():
    row = Row("bandwidth", [("1", Final([0.1, 0.2], 0)), ("2", Final([], 3))])
    figure = finals_by_setting({"kl": row}, None, STYLES)
    axes = figure.axes[0]
    dots = {line.get_marker(): (line.get_xdata(), line.get_ydata()) for line in axes.lines if len(line.get_xdata())}
    np.testing.assert_allclose(dots[STYLES["kl"].marker][1], [0.1, 0.2])
    assert list(dots["x"][0]) == [1]
    assert axes.get_xlabel() == "bandwidth"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2"]
    assert "seeds lost: diverged or failed" in [text.get_text() for text in figure.legends[0].get_texts()]


def boxes(texts, renderer):
    return [text.get_window_extent(renderer) for text in texts if text.get_text()]


@pytest.mark.parametrize("n_drifts", [2, 5])
def test_no_label_of_a_figure_of_settings_is_cut_or_covers_another(n_drifts):
    names = list(DRIFTS)[:n_drifts]
    rows = {name: Row("objective", [(value, Final([0.1], 1)) for value in OBJECTIVES]) for name in names}
    figure = finals_by_setting(rows, (0.0, 0.01), drift_styles(names))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page, renderer = figure.bbox, canvas.get_renderer()
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == n_drifts
    titles = boxes([axes.title for axes in shown], renderer)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(titles, 2))
    for axes in shown:
        ticks = [label for label in axes.get_xticklabels() if label.get_text()]
        rotated = {label.get_rotation() for label in ticks}
        assert rotated <= {30.0}, "slanted labels cannot overlap if their baselines are apart"
        places = [label.get_window_extent(renderer).x1 for label in ticks]
        letters = 7 * figure.dpi / 72
        assert all(np.diff(places) * np.sin(np.radians(30)) > letters)
    texts = [text for axes in shown for text in (axes.title, axes.xaxis.label, *axes.get_xticklabels())]
    for box in boxes(texts, renderer):
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y0 >= page.y0 - 1


def test_a_diverged_panel_is_empty_and_says_so_and_rows_are_drifts():
    x = np.random.default_rng(0).normal(size=(30, 2))
    grid = {
        "kl": Row("bandwidth", [("1", Samples(x)), ("2", Samples(None, "diverged"))]),
        "mmd": Row("", [("as configured", Samples(x))]),
    }
    axes = sample_grid(grid, x).axes
    assert [bool(a.collections) for a in axes] == [True, False, True, False]
    assert [a.get_ylabel() for a in axes] == ["kl\nbandwidth", "", "mmd", ""]
    assert [text.get_text() for text in axes[1].texts] == ["diverged"]


def test_a_grid_of_many_drifts_fits_on_a_page():
    x = np.random.default_rng(0).normal(size=(5, 2))
    rows = {name: Row("bandwidth", [(str(k), Samples(x)) for k in range(3)]) for name in list(DRIFTS)[:9]}
    figure = sample_grid(rows, x)
    assert figure.get_figwidth() == pytest.approx(6.75)
    assert figure.get_figheight() <= 9
    named = [axes.get_ylabel().replace("_\n", "_").partition("\n")[0] for axes in figure.axes]
    assert sorted(filter(None, named)) == sorted(rows)


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    for bandwidth in (0.3, 1.0):
        make_run(folder, drift="kl", drift__bandwidth=bandwidth)
    make_run(folder, "diverged", drift="mmd")
    assert main([str(folder), "--figures"]) == 0
    return folder / "figures"


@pytest.mark.thorough
def test_every_figure_is_written_as_pdf_svg_and_png(figures):
    stems = {f"{name}_eight_gaussians" for name in ("curves", "settings", "samples")}
    assert {path.name for path in figures.iterdir()} == {f"{s}.{suffix}" for s in stems for suffix in FORMATS}
    assert set(FORMATS) == {"pdf", "svg", "png"}


@pytest.mark.thorough
def test_pdfs_are_vector_with_their_fonts_inside(figures):
    for path in figures.glob("*.pdf"):
        pdf = path.read_bytes()
        assert b"/FontFile2" in pdf
        assert b"/Type3" not in pdf
        assert b"/Subtype /Image" not in pdf, "a picture of dots"


@pytest.mark.thorough
def test_svgs_are_vector_and_need_no_font(figures):
    for path in figures.glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        kinds = [node.tag.removeprefix("{http://www.w3.org/2000/svg}") for node in root.iter()]
        assert "text" not in kinds, "letters are outlines: a viewer may not have the font"
        assert "image" not in kinds, "a picture of dots"
        assert kinds.count("path") > 20
        assert float(root.get("width").removesuffix("pt")) <= 6.75 * 72 + 1


def test_figures_are_as_wide_as_a_column_or_a_page(figures):
    widths = {}
    for path in figures.glob("*.png"):
        with Image.open(path) as picture:
            widths[path.stem] = picture.width
    assert max(widths.values()) <= 6.75 * 300 + 1
    assert widths["curves_eight_gaussians"] == 6.75 * 300
