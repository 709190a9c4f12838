"""Temporary files of killed processes."""

import pytest

from gmdwgf.runs.leftovers import is_leftover
from tests.runs.folders import make_run

LEFT = [
    ".DONE.4242.tmp.json",
    ".DONE.json.4242.tmp",
    ".metrics.1.tmp.jsonl",
    ".metrics.jsonl.1.tmp",
    "metrics.jsonl.tmp",
    ".samples.77.tmp.npz",
    ".samples.npz.tmp.npz",
    ".config.5.tmp.yaml",
    ".manifest.5.tmp.json",
    ".probe-99",
    "figures/.curves.12.tmp.png",
    "figures/.12.curves.png",
]
KEPT = [
    "DONE.json.tmp",
    ".notes.txt",
    ".notes.12.tmp.txt",
    ".DONE.tmp.json",
    ".probe-x",
    ".swp",
    "report.html",
    ".report.3.tmp.html",
    "figures/12.curves.png",
    "figures/.curves.png",
    "checkpoints/.a.1.tmp.json",
]


def test_what_a_killed_process_left_is_swept_up_when_the_run_is_begun_again(tmp_path):
    job = make_run(tmp_path, "unfinished")
    folder = job.folder.path
    (folder / "checkpoints").mkdir()
    for name in [*LEFT, *KEPT]:
        (folder / name).write_text("half a fi")
    (folder / ".linked.3.tmp.json").symlink_to(folder / "report.html")
    (folder / ".folder.3.tmp.json").mkdir()
    before = {path.name for path in folder.iterdir()}
    with job.folder.lock():
        job.folder.begin(job.yaml, {"id": job.id})
    assert not [name for name in LEFT if (folder / name).exists()]
    assert all((folder / name).read_text() == "half a fi" for name in KEPT)
    swept = {name for name in LEFT if "/" not in name}
    assert {path.name for path in folder.iterdir()} == before - swept


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "samples.npz", "DONE.json", "train.log", "run.lock", ".1.x", ".", ""]
)
def test_what_stays_is_no_leftover(name):
    assert not is_leftover(name)
