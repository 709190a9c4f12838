"""Whether a folder counts as the finished run that is asked for. Nothing is trained here."""

import json

import numpy as np
import pytest
import yaml

from gmdwgf.files import DamagedFile
from gmdwgf.runs.standing import reopen, standing
from gmdwgf.tracking import jsonl
from tests.runs.folders import make_run


def finished(root, state="done", **choices):
    job = make_run(root, state, drift="kl", **choices)
    step = jsonl.read_records(job.folder.metrics)[-1]["step"]
    (job.folder.checkpoints / str(step)).mkdir(parents=True)
    return job


def found(job):
    return standing(job.folder, job.config, job.yaml)


@pytest.mark.parametrize("state", ["done", "diverged"])
def test_a_run_with_all_it_left_is_finished(tmp_path, state):
    assert found(finished(tmp_path, state)) == (state, ())


@pytest.mark.parametrize("state", ["failed", "unfinished"])
def test_a_run_that_did_not_end_is_what_it_was(tmp_path, state):
    assert found(make_run(tmp_path, state, drift="kl")) == (state, ())


def test_a_run_that_was_refused_is_asked_for_again_without_being_compared(tmp_path):
    job = make_run(tmp_path, "failed", drift="kl")
    (job.folder.path / "manifest.json").unlink()
    (job.folder.path / "config.yaml").write_text("seed: one\n")
    assert found(job) == ("failed", ())


def edit_config(job, **changes):
    path = job.folder.path / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        group, name = key.split("__")
        config[group][name] = value
    path.write_text(yaml.dump(config))


@pytest.mark.thorough
@pytest.mark.parametrize("state", ["done", "diverged", "unfinished"])
def test_a_config_that_was_edited_is_refused_with_what_differs_and_the_fix(tmp_path, state):
    job = finished(tmp_path, state)
    edit_config(job, drift__bandwidth=0.5, training__eta=0.25)
    with pytest.raises(DamagedFile) as refused:
        found(job)
    line = str(refused.value)
    assert "config.yaml: has drift.bandwidth=0.5 where 0.3 is asked for, and 1 more keys differ" in line
    assert f"python -m gmdwgf.runs rm {tmp_path} {job.name}" in line
    assert "\n" not in line


def test_numbers_that_mean_the_same_and_keys_of_the_machine_do_not_differ(tmp_path):
    job = finished(tmp_path)
    edit_config(job, training__eta=1, training__chunk_size=7, tracking__progress=False, paths__root="elsewhere")
    assert found(job).state == "done"


def edit_manifest(job, **changes):
    path = job.folder.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("change", [{"data": "12345678"}, {"id": "00000000"}])
def test_a_run_of_other_data_or_another_id_is_refused(tmp_path, change):
    job = finished(tmp_path)
    edit_manifest(job, **change)
    with pytest.raises(DamagedFile, match=r"manifest\.json: is of (other data|another run)") as refused:
        found(job)
    assert next(iter(change.values())) in str(refused.value)


def test_a_manifest_of_an_older_version_has_no_data_to_compare(tmp_path):
    job = finished(tmp_path)
    assert "data" not in job.folder.manifest()
    assert found(job).state == "done"


GONE = {
    "metrics.jsonl": lambda folder: (folder / "metrics.jsonl").unlink(),
    "metrics.jsonl, emptied": lambda folder: (folder / "metrics.jsonl").write_text(""),
    "metrics.jsonl, cut": lambda folder: (folder / "metrics.jsonl").write_text('{"step": 0}\n'),
    "metrics.jsonl, swapped": lambda folder: (folder / "metrics.jsonl").write_text('{"step": 200}\n{"step": 0}\n'),
    "samples.npz": lambda folder: (folder / "samples.npz").unlink(),
    "samples.npz, emptied": lambda folder: (folder / "samples.npz").write_text(""),
    "samples.npz, of other steps": lambda folder: np.savez(
        folder / "samples.npz", x=np.zeros((1, 2, 2)), steps=[0], y=np.zeros((2, 2))
    ),
    "checkpoints": lambda folder: (folder / "checkpoints" / "200").rmdir(),
    "checkpoint 200": lambda folder: (folder / "checkpoints" / "200").rename(folder / "checkpoints" / "100"),
    "manifest.json": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "manifest.json, gone": lambda folder: (folder / "manifest.json").unlink(),
    "config.yaml": lambda folder: (folder / "config.yaml").write_text("training: [\n"),
    "DONE.json": lambda folder: (folder / "DONE.json").write_text(""),
    "DONE.json, NUL": lambda folder: (folder / "DONE.json").write_bytes(bytes(50)),
    "DONE.json, half": lambda folder: (folder / "DONE.json").write_text('{"step": 2'),
    "DONE.json, a list": lambda folder: (folder / "DONE.json").write_text("[1, 2]"),
    "DONE.json, a word for a number": lambda folder: (folder / "DONE.json").write_text('{"step": 200, "mmd2": "x"}'),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", GONE)
def test_a_finished_run_of_which_something_is_gone_goes_on_and_says_what_is(tmp_path, case):
    job = finished(tmp_path)
    GONE[case](job.folder.path)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    state, lines = found(job)
    assert state == "unfinished"
    assert any(line.startswith(case.split(",")[0]) for line in lines), lines
    assert lines[-1] == "so the run is not done: it resumes from intact files"
    assert all("\n" not in line for line in lines)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before  # it only reads


@pytest.mark.thorough
@pytest.mark.parametrize("case", [case for case in GONE if case.startswith(("DONE", "manifest", "config"))])
def test_what_is_damaged_is_set_aside_and_nothing_is_deleted(tmp_path, case):
    job = finished(tmp_path)
    GONE[case](job.folder.path)
    contents = sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    reopen(job.folder, found(job))
    assert job.folder.status() in ("unfinished", "new")
    assert not (job.folder.path / "DONE.json").exists()
    assert list((job.folder.path / "damaged").glob("DONE.json-*"))
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) == contents
