"""What a resumed run finds of its records and samples. Nothing is trained here."""

import json

import numpy as np
import pytest

from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.history import begin_anew, evaluated_steps, recover
from gmdwgf.runs.snapshots import Snapshots, read
from gmdwgf.tracking import jsonl

STEPS = (0, 10, 20, 30)
Y = np.ones((3, 2), np.float32)


def record(step):
    return {"step": step, "mmd2": 0.1 * step}


@pytest.fixture
def folder(tmp_path):
    """A run that came to step 30."""
    folder = RunDir(tmp_path)
    folder.begin("", {"id": "1a2b3c4d"})
    jsonl.rewrite(folder.metrics, [record(step) for step in STEPS])
    snapshots = Snapshots(folder.samples, Y)
    for step in STEPS:
        snapshots.add(step, np.full((4, 2), step, np.float32))
    return folder


def recovered(folder, step=30, last=None):
    """Steps of the records and of the samples, and what was said."""
    said, snapshots = [], Snapshots(folder.samples, Y)
    recover(
        folder, snapshots, evaluated_steps(10, step, ended=False), record(last or step // 10 * 10), step, said.append
    )
    return [kept["step"] for kept in jsonl.read_records(folder.metrics)], sorted(snapshots.taken), said


def test_a_whole_history_is_taken_up_to_the_checkpoint_without_a_word(folder):
    assert recovered(folder, step=25) == ([0, 10, 20], [0, 10, 20], [])
    assert "lost" not in folder.manifest()


def lines(folder):
    return folder.metrics.read_text().splitlines(keepends=True)


DAMAGES = {
    "deleted": (lambda f: f.metrics.unlink(), [30], "lost its records of steps 0, 10, 20"),
    "emptied": (lambda f: f.metrics.write_text(""), [30], "lost its records of steps 0, 10, 20"),
    "cut": (lambda f: f.metrics.write_text("".join(lines(f)[:2])), [0, 10, 30], "lost its records of step 20"),
    "a line taken out": (
        lambda f: f.metrics.write_text("".join(lines(f)[:1] + lines(f)[2:])),
        [0, 20, 30],
        "lost its records of step 10",
    ),
    "a bad line": (
        lambda f: f.metrics.write_text("".join([lines(f)[0], "rubbish\n", *lines(f)[2:]])),
        [0, 20, 30],
        "metrics.jsonl, line 2: is not a record",
    ),
    "lines swapped": (
        lambda f: f.metrics.write_text("".join([lines(f)[0], lines(f)[2], lines(f)[1], lines(f)[3]])),
        [0, 10, 20, 30],
        "metrics.jsonl, line 3: has step 10 after step 20",
    ),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_records_that_are_lost_are_said_and_kept_in_the_manifest(folder, case):
    damage, left, words = DAMAGES[case]
    damage(folder)
    damaged = folder.metrics.read_bytes() if folder.metrics.exists() else None
    steps, samples, said = recovered(folder)
    assert (steps, samples) == (left, [0, 10, 20, 30])
    assert any(words in line for line in said), said
    if len(left) < 4:
        assert any("lost its records" in line for line in folder.manifest()["lost"])
    if "line " in words:
        assert [path.read_bytes() for path in (folder.path / "damaged").iterdir()] == [damaged]
    folder.begin("", {"id": "1a2b3c4d"})  # begun once more, it still says so
    assert len(left) == 4 or folder.manifest()["lost"]


@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut", "flipped"])
def test_samples_that_are_lost_are_said_and_kept_in_the_manifest(folder, damage):
    content = bytearray(folder.samples.read_bytes())
    content[200] ^= 1
    folder.samples.unlink()
    if damage != "deleted":
        folder.samples.write_bytes({"emptied": b"", "cut": content[:300], "flipped": content}[damage])
    steps, samples, said = recovered(folder)
    assert (steps, samples) == ([0, 10, 20, 30], [])
    assert any("samples.npz: all samples up to step 30 are lost" in line for line in said)
    assert any("samples.npz" in line for line in folder.manifest()["lost"])
    assert len(list((folder.path / "damaged").glob("samples.npz-*"))) == (damage != "deleted")


def test_a_run_without_a_checkpoint_that_had_come_far_begins_anew_and_keeps_what_it_had(folder):
    said = []
    begin_anew(folder, said.append)
    assert said[0].startswith("no checkpoint is left, although the run had reached step 30; it starts again")
    assert folder.manifest()["lost"] == ["no checkpoint is left, although the run had reached step 30"]
    kept = {path.name.split("-")[0]: path for path in (folder.path / "damaged").iterdir()}
    assert [json.loads(line)["step"] for line in kept["metrics.jsonl"].read_text().splitlines()] == [0, 10, 20, 30]
    assert len(read(kept["samples.npz"])["steps"]) == 4


def test_a_run_that_was_killed_before_its_first_checkpoint_has_lost_nothing(tmp_path):
    folder, said = RunDir(tmp_path), []
    folder.begin("", {"id": "1a2b3c4d"})
    jsonl.rewrite(folder.metrics, [record(0)])
    begin_anew(folder, said.append)
    assert said == []
    assert not (folder.path / "damaged").exists()


def test_a_run_ends_with_an_evaluation():
    assert evaluated_steps(10, 25, ended=False) == [0, 10, 20]
    assert evaluated_steps(10, 25, ended=True) == [0, 10, 20, 25]
    assert evaluated_steps(10, 20, ended=True) == [0, 10, 20]


def test_a_record_that_is_no_evaluation_of_this_run_is_not_taken_from_the_checkpoint(folder):
    jsonl.rewrite(folder.metrics, [record(0), record(10), record(20)])
    assert recovered(folder, step=25, last=25)[0] == [0, 10, 20]  # a longer run that took over where another one ended
