"""`--dry` leaves everything as it was: not a file more, not one less, none touched."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import gmdwgf
from tests.launch.common import SMALL
from tests.launch.test_sweep import WRONG_DRIFT
from tests.runs.folders import make_run
from tests.runs.trees import tree

ONE, SWEEP = ["drift=kl"], ["-m", "drift=kl", "seed=0,1", "sweep.name=mine"]


def older_sweep(root):
    """A root with a run, the ledger of an earlier sweep of the same name, and files of the user's."""
    make_run(root, "failed", drift="kl")
    ledger = root / ".sweeps" / "mine"
    ledger.mkdir(parents=True)
    for job in range(3):
        (ledger / f"{job}.json").write_text(json.dumps({"state": "failed", "line": "of the last time"}))
    (ledger / "notes.json").write_text("{}")
    (root / "multirun.yaml").write_text("mine: true\n")


COMMANDS = {
    "one": ONE,
    "refused": ["drift=kl", "drift.bandwidth=-1"],
    "hydra's own folder": [*ONE, "hydra.output_subdir=.hydra", "hydra.run.dir=out"],
    "sweep": SWEEP,
    "sweep's folder of hydra": [*SWEEP, "hydra.output_subdir=.hydra", "hydra.sweep.subdir=..", "hydra.sweep.dir=out"],
    "side by side": [*SWEEP, "hydra/launcher=vectorized"],
    "workers": [*SWEEP, "hydra/launcher=joblib", "sweep.dry=True"],
    "several grids": ["-m", "hydra/sweeper=grids", "hydra.sweeper.grids=[{drift: kl, seed: '0,1'}]"],
    "of one's own": ["--config-dir=own", "drift=wrong"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "before"), [("one", "absent"), ("sweep", "absent"), *((case, "present") for case in COMMANDS)]
)
def test_a_dry_run_writes_and_removes_nothing(case, before, cli, tmp_path, monkeypatch):
    if "joblib" in str(COMMANDS[case]):
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    if before == "present":
        older_sweep(tmp_path / "runs")
    (tmp_path / "own/drift").mkdir(parents=True)
    (tmp_path / "own/drift/wrong.yaml").write_text("_target_: dry_wrong_drift.Wrong\nbandwidth: 1.0\nself_term: keep\n")
    (tmp_path / "dry_wrong_drift.py").write_text(WRONG_DRIFT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "dry_wrong_drift", raising=False)
    importlib.invalidate_caches()
    found = tree(tmp_path)
    code, out, err = cli(*COMMANDS[case], *SMALL, *([] if "sweep.dry=True" in COMMANDS[case] else ["--dry"]))
    assert tree(tmp_path) == found
    if case in ("refused", "of one's own"):
        assert code != 0
    else:
        assert code == 0, err
        assert "would " in out
    assert "of the last time" not in out


DRY_YAML = "# @package _global_\nsweep: {dry: true, name: from_yaml}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [ONE, SWEEP[:3], [*SWEEP[:3], "hydra/launcher=vectorized"]], ids=["one", "sweep", "side by side"]
)
def test_a_run_that_is_dry_by_a_yaml_leaves_nothing_either(command, cli, tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/trial.yaml").write_text(DRY_YAML)
    found = tree(tmp_path)
    code, out, err = cli("--config-dir=own", *command, "experiment=trial", *SMALL)
    assert code == 0, err
    assert "would run" in out
    assert tree(tmp_path) == found


@pytest.mark.slow
@pytest.mark.parametrize("command", [[*ONE, "hydra/job_logging=default"], SWEEP], ids=["one", "sweep"])
def test_nothing_is_left_in_the_folder_for_temporary_files_or_beside_modules(command, tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "wrong_drift.py").write_text(WRONG_DRIFT)
    names = [path.name for path in tmp_path.rglob("*")]
    own = ["drift._target_=wrong_drift.Wrong", "--dry", *SMALL]
    done = gmdwgf(*command, *own, cwd=tmp_path, env={"TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": f"{Path.cwd()}:."})
    assert "Wrong" not in done.stderr or done.returncode != 0
    assert [path.name for path in tmp_path.rglob("*")] == names


def test_the_folder_that_hydra_writes_to_goes_when_the_process_ends(tmp_path):
    code = "import sys; from omegaconf import OmegaConf; from gmdwgf.launch import bytecode\n"
    code += "node = {'run': {}, 'sweep': {}, 'sweeper': {}, 'overrides': {'hydra': []}}\n"
    code += "config = OmegaConf.create({'hydra': node}); bytecode.write_nothing(config)\n"
    code += "open(config.hydra.run.dir + '/multirun.yaml', 'w').close(); print(config.hydra.sweep.dir)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []
