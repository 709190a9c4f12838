import os
import subprocess
import sys
import textwrap

import matplotlib
import numpy as np
import pytest
from PIL import Image

from gmdwgf.plots import metric_curves, samples_over_target, save


@pytest.fixture
def figure():
    rng = np.random.default_rng(0)
    return samples_over_target(rng.normal(size=(50, 2)), rng.normal(size=(70, 2)))


def test_a_png_is_as_wide_as_a_column_at_300_dots_an_inch_and_not_blank(figure, tmp_path):
    save(figure, tmp_path / "new" / "samples.png")
    picture = Image.open(tmp_path / "new" / "samples.png")
    assert picture.width == 990
    assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert os.listdir(tmp_path / "new") == ["samples.png"]


@pytest.mark.thorough
def test_letters_stay_letters_in_a_pdf(figure, tmp_path):
    save(figure, tmp_path / "samples.pdf")
    pdf = (tmp_path / "samples.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_no_letter_is_smaller_than_seven_points(figure):
    (axes,) = figure.axes
    ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    shown = [axes.xaxis.label, axes.yaxis.label, axes.title, *ticks, *figure.legends[0].get_texts()]
    assert {text.get_fontsize() for text in shown} <= {7, 8}


def test_drawing_leaves_the_settings_of_matplotlib_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    save(metric_curves([{"step": 0, "mmd2": 0.1}], {}), tmp_path / "curves.png")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.thorough
def test_no_figure_needs_pyplot_or_a_display(tmp_path):
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from gmdwgf.plots import *

        x, y = np.random.default_rng(0).normal(size=(2, 30, 2))
        grid = grid_over(y, n=4)
        figures = samples_over_target(x, y), sample_strip([(0, x)], y), velocity_on_grid(grid, grid, x, y)
        for number, figure in enumerate([*figures, metric_curves([{"step": 0, "mmd2": 1.0}], {})]):
            save(figure, Path(sys.argv[1]) / f"{number}.png")
        assert "matplotlib.pyplot" not in sys.modules
        assert "jax" not in sys.modules
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], env=environment, check=True)
    assert sorted(os.listdir(tmp_path)) == [f"{number}.png" for number in range(4)]
