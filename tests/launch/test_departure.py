"""A run whose samples leave the data ends as diverged: in memory, in its folder, and on the pages that read it."""

import json

import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.analysis.cells import cells, varied
from gmdwgf.engine.departure import departure
from gmdwgf.reports.findings import score
from gmdwgf.runs.records import read_runs
from tests.launch.common import SMALL
from tests.launch.fitting import NUMBERS

SIZES = {name: value for name, value in NUMBERS.items() if name not in ("width", "depth", "noise_dim")}
PARTICLES = {"generator": "particles", "optimizer": "euler", "progress": False, **SIZES}
"""The energy distance moves no particle by more than 2 eta, so that nothing overflows however long a step is."""


def test_a_fit_whose_samples_leave_the_data_says_since_when():
    result = gmdwgf.fit("eight_gaussians", "mmd", eta=1000.0, **PARTICLES)
    assert result.status == "diverged"
    assert np.isfinite(result.samples).all()
    assert result.divergence == {
        "diverged_step": 4,
        "diverged_term": "samples",
        "diverged_value": "all outside of the data",
    }
    assert "diverged at step 4" in repr(result)


@pytest.mark.thorough
def test_the_run_its_folder_and_its_score_agree(cli, tmp_path):
    words = ["generator=particles", "optimizer=euler", "training.eta=1000"]
    small = [word for word in SMALL if not word.startswith("generator")]
    code, out, err = cli("-m", "drift=mmd", "seed=0", *words, *small)
    assert code == 0, err
    assert "diverged (samples = all outside of the data at step 4): " in out
    assert "1 diverged" in out
    runs = read_runs(tmp_path / "runs")
    assert [run.state for run in runs] == ["diverged"]
    assert runs[0].why == "samples = all outside of the data at step 4"
    (found,) = [score(cell) for cell in cells(runs, varied(runs))]
    assert (found.verdict, found.count("diverged")) == ("diverged", 1)
    facts = json.loads((runs[0].path / "DIVERGED.json").read_text())
    assert facts["step"] == 8
    assert np.isfinite(facts["mmd2"])


def test_a_run_that_stays_is_done():
    result = gmdwgf.fit("eight_gaussians", "mmd", **PARTICLES)
    assert (result.status, result.divergence) == ("done", {})


@pytest.mark.parametrize(("target", "is_flat"), [("eight_gaussians", True), ("sphere_checkerboard", False)])
def test_points_of_a_curved_manifold_have_no_view_to_leave(target, is_flat):
    problem = gmdwgf.make_problem(target, "mmd", generator="particles", n_steps=1)
    y = np.asarray(gmdwgf.load_target(target).sample(jax.random.key(0), 50))
    assert bool(departure(problem, {0: y, 10: y + 50}, y)) == is_flat
