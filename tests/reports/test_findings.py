import numpy as np
import pytest

from gmdwgf.analysis.cells import cells, varied
from gmdwgf.reports.findings import best, score, sentence
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run

EDGE = 0.002  # of the floor in these folders, mean + 2 sd


def scores_of(folder):
    runs = read_runs(folder)
    return [score(cell) for cell in cells(runs, varied(runs))]


@pytest.mark.thorough
def test_verdicts_follow_the_distance_in_units_of_the_floors_edge(tmp_path):
    for bandwidth, ratio in ((1, 0.9), (2, 2.9), (3, 3.1)):
        make_run(tmp_path, mmd2=ratio * EDGE, drift="kl", drift__bandwidth=bandwidth)
    make_run(tmp_path, "diverged", drift="kl", drift__bandwidth=4)
    make_run(tmp_path, "failed", drift="kl", drift__bandwidth=5)
    make_run(tmp_path, "unfinished", drift="kl", drift__bandwidth=6)
    found = scores_of(tmp_path)
    assert [s.verdict for s in found] == ["floor", "close", "far", "diverged", "failed", "unfinished"]
    np.testing.assert_allclose([s.ratio for s in found[:3]], [0.9, 2.9, 3.1])


@pytest.mark.thorough
def test_the_best_cell_is_that_of_least_mean_in_which_no_seed_was_lost(tmp_path):
    for seed, mmd2 in enumerate((0.03, 0.05)):
        make_run(tmp_path, mmd2=mmd2, drift="kl", drift__bandwidth=1, seed=seed)
        make_run(tmp_path, mmd2=2 * mmd2, drift="kl", drift__bandwidth=2, seed=seed)
        make_run(tmp_path, "done" if seed else "diverged", mmd2=0.001, drift="kl", drift__bandwidth=3, seed=seed)
    found = best(scores_of(tmp_path))
    assert dict(found.cell.settings) == {"drift.bandwidth": 1}
    np.testing.assert_allclose([found.mean, found.sd], [40, 1000 * np.std([0.03, 0.05], ddof=1)])


@pytest.mark.thorough
def test_the_sentence_says_where_a_drift_fails_and_with_what(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path, mmd2=0.5 * EDGE, drift="kl", drift__bandwidth=0.3, seed=seed)
        make_run(tmp_path, mmd2=80 * EDGE, drift="kl", drift__bandwidth=0.1, seed=seed)
        make_run(tmp_path, mmd2=5 * EDGE, drift="kl", drift__bandwidth=0.1, seed=seed, dataset="circles")
        make_run(tmp_path, "diverged", drift="kl", drift__bandwidth=9, seed=seed)
    assert sentence(scores_of(tmp_path)) == (
        "At its best setting at the floor on eight_gaussians (bandwidth=0.3); "
        "far from the data on circles (bandwidth=0.1, 5.0x floor). "
        "Settings that come close: 1 of 3 on eight_gaussians. 2 of 8 runs diverged (all with bandwidth=9)."
    )
