import json

import pytest

from gmdwgf.analysis.cells import caption, cells, setting, short, varied
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run


@pytest.mark.thorough
def test_what_differs_within_a_drift_is_a_setting_and_what_only_one_drift_has_is_not(tmp_path):
    for bandwidth in (0.3, 1):
        make_run(tmp_path, drift="kl", drift__bandwidth=bandwidth)
    make_run(tmp_path, drift="sinkhorn")
    assert varied(read_runs(tmp_path)) == ["drift.bandwidth"]


@pytest.mark.thorough
def test_seeds_machines_and_datasets_are_no_settings(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path, seed=seed, tracking__line_every=seed + 1)
        make_run(tmp_path, seed=seed, dataset="pinwheel", training__chunk_size=seed + 1)
    assert varied(read_runs(tmp_path)) == []
    assert [len(cell.runs) for cell in cells(read_runs(tmp_path), [])] == [2, 2]


def test_an_exchanged_optimiser_is_one_setting(tmp_path):
    make_run(tmp_path, optimizer="adam")
    make_run(tmp_path, optimizer="sgd")
    runs = read_runs(tmp_path)
    assert varied(runs) == ["optimizer"]
    assert {setting(run, "optimizer") for run in runs} == {"Adam", "SGD"}


@pytest.mark.thorough
def test_numbers_that_mean_the_same_make_one_cell(tmp_path):
    make_run(tmp_path, drift="kl", drift__bandwidth=1, seed=0)
    make_run(tmp_path, drift="kl", drift__bandwidth=1.0, seed=1)
    make_run(tmp_path, drift="kl", drift__bandwidth=0.3, seed=0)
    runs = read_runs(tmp_path)
    found = cells(runs, varied(runs))
    assert [(caption(cell.settings), [run.seed for run in cell.runs]) for cell in found] == [
        ("bandwidth=0.3", [0]),
        ("bandwidth=1", [0, 1]),
    ]


@pytest.mark.thorough
def test_settings_are_sorted_by_size(tmp_path):
    for bandwidth in (10, 0.3, 2):
        make_run(tmp_path, drift="kl", drift__bandwidth=bandwidth)
    runs = read_runs(tmp_path)
    assert [dict(cell.settings)["drift.bandwidth"] for cell in cells(runs, varied(runs))] == [0.3, 2, 10]


def test_a_name_is_as_short_as_tells_it_apart():
    keys = ["optimizer.schedule.decay", "training.ema_decay", "drift.schedule.decay"]
    assert short(keys[1], keys) == "ema_decay"
    assert short(keys[0], keys) == "optimizer.schedule.decay"


def test_one_path_with_other_contents_is_another_cell(tmp_path):
    folders = [make_run(tmp_path, drift="kl", seed=seed).folder for seed in (0, 1)]
    for folder, contents in zip(folders, ("0a", "0b"), strict=True):
        path = folder.path / "manifest.json"
        path.write_text(json.dumps(folder.manifest() | {"data": contents}))
    assert [len(cell.runs) for cell in cells(read_runs(tmp_path), [])] == [1, 1]
