"""Rows of figures, from run folders."""

import pytest

from gmdwgf.analysis.cells import cells, varied
from gmdwgf.reports.findings import score
from gmdwgf.reports.rows import labels_of, rows_of
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows of a sweep over two kernels, each with a setting of its own, and over two objectives."""
    folder = tmp_path_factory.mktemp("sweep")
    for bandwidth in (0.3, 1):
        make_run(folder, drift="mmd", drift__kernel="gaussian", drift__bandwidth=bandwidth)
    for exponent in (0.5, 1.5):
        make_run(folder, drift="mmd", drift__kernel="riesz", drift__exponent=exponent)
    for objective in ("kl", "js"):
        make_run(folder, drift="critic", drift__objective=objective)
    make_run(folder, drift="kl")
    runs = read_runs(folder)
    return rows_of([score(cell) for cell in cells(runs, varied(runs))])


def test_an_option_with_settings_of_its_own_is_a_row(rows):
    assert {name: len(found) for name, found in rows.items()} == {
        "critic": 2,
        "kl": 1,
        "mmd, gaussian": 2,
        "mmd, riesz": 2,
    }


def test_labels_are_the_values_of_what_differs_within_a_row(rows):
    assert labels_of(rows["mmd, gaussian"]) == ("bandwidth", ["0.3", "1"])
    assert labels_of(rows["mmd, riesz"]) == ("exponent", ["0.5", "1.5"])
    assert labels_of(rows["critic"]) == ("objective", ["js", "kl"])
    assert labels_of(rows["kl"]) == ("", ["as configured"])
