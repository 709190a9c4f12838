from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from gmdwgf.plots.comparison import FORMATS, curves_by_drift, finals_by_setting, sample_grid
from gmdwgf.plots.style import colour_of, drift_styles
from gmdwgf.report import main
from tests.runs.folders import make_run

STYLES = drift_styles(["kl", "mmd"])


def test_a_drift_has_its_colour_and_two_drifts_of_one_colour_differ_in_their_dashes():
    names = [f"drift{i}" for i in range(20)]
    styles = drift_styles(names)
    assert all(styles[name].colour == colour_of(name) for name in names)
    by_colour = {}
    for style in styles.values():
        by_colour.setdefault(style.colour, []).append(style.dash)
    assert max(map(len, by_colour.values())) > 1
    assert all(len(set(dashes)) == min(len(dashes), 4) for dashes in by_colour.values())


def test_the_drifts_of_the_papers_comparison_have_colours_of_their_own():
    names = "kl deng sinkhorn_proxy sinkhorn mmd sliced_wasserstein critic".split()
    assert len({colour_of(name) for name in names}) == len(names)


def test_a_curve_is_the_mean_of_the_seeds_in_a_band_from_the_lowest_to_the_highest():
    figure = curves_by_drift({"kl": [(0, [1.0, 3.0]), (10, [0.1, 0.2])]}, (-0.01, 0.01), STYLES)
    (axes,) = figure.axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_ydata(), [2.0, 0.15])
    assert to_hex(line.get_color()) == colour_of("kl").lower()
    corners = axes.collections[0].get_paths()[0].vertices
    for corner in ((0, 1.0), (0, 3.0), (10, 0.1), (10, 0.2)):
        assert corner in set(map(tuple, corners))


def test_values_below_zero_have_a_place_on_the_axis():
    (axes,) = curves_by_drift({"kl": [(0, [1.0]), (10, [-0.001])]}, (-0.002, 0.002), STYLES).axes
    assert axes.get_yscale() == "symlog"
    assert axes.get_ylim()[0] < -0.001


def test_lost_seeds_are_crosses_above_the_axis():
    figure = finals_by_setting({"kl": [("bandwidth=1", [0.1, 0.2], 0), ("bandwidth=2", [], 3)]}, None, STYLES)
    (axes,) = figure.axes
    dots = {line.get_marker(): (line.get_xdata(), line.get_ydata()) for line in axes.lines if len(line.get_xdata())}
    np.testing.assert_allclose(dots["o"][1], [0.1, 0.2])
    assert list(dots["x"][0]) == [1]


def test_a_diverged_panel_is_empty_and_rows_are_drifts():
    x = np.random.default_rng(0).normal(size=(30, 2))
    grid = {"kl": [("bandwidth=1", x, ""), ("bandwidth=2", None, "diverged")], "mmd": [("as configured", x, "")]}
    axes = sample_grid(grid, x).axes
    assert [bool(a.collections) for a in axes] == [True, False, True, False]
    assert [a.get_ylabel() for a in axes] == ["kl", "", "mmd", ""]
    assert not axes[1].texts or axes[1].texts[0].get_text() == ""


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
def test_svgs_are_vector_with_their_text_as_text(figures):
    for path in figures.glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        words = {"".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")}
        assert "kl" in words, path
        assert not list(root.iter("{http://www.w3.org/2000/svg}image")), "a picture of dots"
        assert float(root.get("width").removesuffix("pt")) <= 6.75 * 72 + 1


def test_figures_are_as_wide_as_a_column_or_a_page(figures):
    widths = {}
    for path in figures.glob("*.png"):
        with Image.open(path) as picture:
            widths[path.stem] = picture.width
    assert max(widths.values()) <= 6.75 * 300 + 1
    assert widths["curves_eight_gaussians"] == 3.3 * 300
