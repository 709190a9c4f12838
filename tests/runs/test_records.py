import math
import subprocess
import sys
from pathlib import Path

import pytest

from gmdwgf.runs.records import RunFiles, flatten, is_live, read_runs, run_folders
from tests.runs.folders import make_run


@pytest.mark.thorough
@pytest.mark.parametrize("state", ["done", "diverged", "failed", "unfinished"])
def test_a_run_is_read_back_as_it_was_written(tmp_path, state):
    job = make_run(tmp_path, state, drift="kl", drift__bandwidth=0.2, seed=3)
    (run,) = read_runs(tmp_path)
    assert (run.state, run.id, run.dataset, run.drift, run.seed) == (state, job.id, "eight_gaussians", "kl", 3)
    assert run.flat["drift.bandwidth"] == 0.2
    assert run.last["step"] == (100 if state == "diverged" else 200)
    assert run.n_steps == 200


def test_why_is_one_line(tmp_path):
    make_run(tmp_path, "failed", seed=0)
    make_run(tmp_path, "diverged", seed=1)
    make_run(tmp_path, "done", seed=2)
    whys = {run.state: run.why for run in read_runs(tmp_path)}
    assert whys["failed"] == "the disk is full; free some space, then the same command resumes the run"
    assert whys["diverged"] == "position = 2e4 at step 100"
    assert whys["done"] == ""


@pytest.mark.thorough
def test_a_run_whose_lock_is_held_is_live_even_if_it_failed_before(tmp_path):
    job = make_run(tmp_path, "failed")
    with job.folder.lock():
        assert RunFiles(job.folder.path).state == "live"
    assert not is_live(job.folder.path)
    assert RunFiles(job.folder.path).state == "failed"


def test_a_finished_run_is_never_asked_for_its_lock(tmp_path):
    job = make_run(tmp_path, "done")
    with job.folder.lock():
        assert RunFiles(job.folder.path).state == "done"


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["config.yaml", "manifest.json", "DONE.json", "metrics.jsonl"])
@pytest.mark.parametrize("damage", ["empty", "torn", "missing"])
def test_a_damaged_file_is_said_and_nothing_else_is_lost(tmp_path, name, damage):
    job = make_run(tmp_path, "done", drift="kl")
    path = job.folder.path / name
    text = path.read_text()
    path.unlink() if damage == "missing" else path.write_text("" if damage == "empty" else "{" + text[: len(text) // 2])
    (run,) = read_runs(tmp_path)
    assert (run.id, run.drift) == (job.id, "kl")
    assert run.last.get("step", 200) == 200
    complaint = name in run.why or (name == "DONE.json" and damage == "missing")  # then it reads as unfinished
    assert complaint or name == "metrics.jsonl"


def test_runs_are_found_at_any_depth_but_not_in_hidden_folders_or_in_runs(tmp_path):
    deep = make_run(tmp_path / "a" / "b", seed=0)
    make_run(tmp_path / ".removed", seed=1)
    make_run(deep.folder.path / "checkpoints", seed=2)
    assert [run.id for run in read_runs(tmp_path)] == [deep.id]
    assert [run.id for run in read_runs(deep.folder.path)] == [deep.id]


def test_a_run_is_known_by_its_name_from_inside_too(tmp_path, monkeypatch):
    job = make_run(tmp_path, drift="kl")
    monkeypatch.chdir(job.folder.path)
    (run,) = read_runs(Path("."))
    assert (run.name, run.dataset, run.drift) == (job.name, "eight_gaussians", "kl")


@pytest.mark.thorough
@pytest.mark.parametrize("damage", ["[1]", "", "[" * 100_000, '{"id": 5}', '{"id": "' + "0" * 8 + '"}', "\0\0"])
def test_a_run_with_a_damaged_manifest_is_listed(tmp_path, damage):
    job = make_run(tmp_path, drift="kl")
    (job.folder.path / "manifest.json").write_text(damage)
    assert list(run_folders(tmp_path)) == [job.folder.path]
    (job.folder.path / "config.yaml").unlink()
    assert list(run_folders(tmp_path)) == [job.folder.path]
    assert list(run_folders(job.folder.path.rename(tmp_path / "renamed"))) == []  # nothing of gmdwgf's is left to see


def test_a_renamed_run_is_known_by_its_manifest_or_its_config(tmp_path):
    folder = make_run(tmp_path, drift="kl").folder.path.rename(tmp_path / "mine")
    assert list(run_folders(tmp_path)) == [folder]
    (folder / "manifest.json").write_text("{")
    assert list(run_folders(tmp_path)) == [folder]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "files",
    [
        {"manifest.json": '{"name": "shop", "id": "1a2b3c4d"}'},
        {"manifest.json": '{"id": "/", "gmdwgf": "1"}', "config.yaml": "drift: 1\n"},
        {"run.lock": "", "config.yaml": "server: {drift: 1}\n"},
        {"FAILED.json": "{}"},
    ],
)
@pytest.mark.parametrize("name", ["shop", "shop-1a2b3c4"])
def test_what_other_programs_keep_is_no_run_and_runs_in_it_are_found(tmp_path, files, name):
    shop = tmp_path / name
    inner = make_run(shop / "runs").folder.path
    for file, text in files.items():
        (shop / file).write_text(text)
    assert list(run_folders(tmp_path)) == [inner]


def test_floors_that_were_not_written_are_nan(tmp_path):
    make_run(tmp_path, "unfinished")
    assert all(map(math.isnan, read_runs(tmp_path)[0].floor()))


def test_a_list_is_one_value():
    assert flatten({"a": {"b": [1, {"c": 2}]}, "d": {}}) == {"a.b": [1, {"c": 2}], "d": {}}


@pytest.mark.thorough
def test_reading_runs_and_writing_pages_load_neither_jax_nor_wandb():
    modules = "gmdwgf.runs gmdwgf.report gmdwgf.analysis.status gmdwgf.analysis.collect gmdwgf.analysis.commands "
    modules += "gmdwgf.analysis.wandb_sync gmdwgf.reports.contents gmdwgf.reports.figures gmdwgf.reports.page"
    code = f"import sys, importlib; [importlib.import_module(m) for m in {modules.split()}]\n"
    code += "assert not {'jax', 'wandb'} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True)
