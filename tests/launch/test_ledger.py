"""What is known of the jobs of a sweep, whatever happened to them."""

import os

import pytest
from omegaconf import OmegaConf

from gmdwgf.config.build import ConfigError
from gmdwgf.launch.ledger import SweepLedger, start_sweep, sweep_name
from gmdwgf.train import accept_sweep
from tests.launch.common import SMALL
from tests.runs.trees import tree


def ledger_in(folder, name="s", **sweep):
    start_sweep()
    return SweepLedger(OmegaConf.create({"paths": {"root": str(folder)}, "sweep": {"name": name, **sweep}}))


def test_a_sweep_has_one_name_however_it_is_run():
    name = sweep_name(["-m", "+drift=kl", "seed=0,1"])
    assert name == sweep_name(["seed=0,1", "--multirun", "drift=kl", "hydra/launcher=joblib", "paths.root=elsewhere"])
    assert name != sweep_name(["-m", "drift=kl", "seed=0,2"])


def test_a_sweep_is_named_and_a_single_run_is_not():
    assert accept_sweep(["drift=kl"]) == ["drift=kl"]
    assert accept_sweep(["-m", "sweep.name=mine"]) == ["-m", "sweep.name=mine"]
    assert accept_sweep(["-m", "++sweep.name=mine"]) == ["-m", "++sweep.name=mine"]
    assert accept_sweep(["-m", "drift=kl"])[-1].startswith("sweep.name=sweep-")


def test_a_dry_sweep_asks_no_cluster():
    arguments = accept_sweep(["-m", "drift=kl", "--dry", "hydra/launcher=slurm", "hydra.launcher.partition=big"])
    assert arguments[:3] == ["-m", "drift=kl", "sweep.dry=true"]
    assert not [argument for argument in arguments if "launcher" in argument]


def test_a_job_that_never_reported_back_counts_as_failed(tmp_path):
    ledger = ledger_in(tmp_path)
    ledger.begin(0)
    ledger.end(0, "done", "fine")
    ledger.begin(1)
    other = ledger_in(tmp_path)  # as another process sees it
    assert other.counts() == {"done": 1, "failed": 1}
    assert not other.any_failed()  # it may still be under way
    other.end(1, "failed", "not fine")
    assert other.any_failed()


def test_where_nothing_can_be_written_the_process_still_knows_its_own_jobs(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    ledger = ledger_in(tmp_path / "file")
    ledger.begin(0)
    ledger.end(0, "failed", "no room")
    assert ledger.counts() == {"failed": 1}


NO_NAMES = [
    "/abs",
    "..",
    ".",
    "../../x",
    "a/b",
    "",
    "a b",
    "a\nb",
    "ä",
    "~",
    "a\\b",
    "x" * 129,
    ["a"],
    {"a": "b"},
    "a\x00",
]


@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
def test_what_is_not_one_plain_path_component_is_no_name_of_a_sweep(name, tmp_path):
    with pytest.raises(ConfigError, match="sweep.name="):
        ledger_in(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "...", "x" * 128, 2024, "-", ".hidden"])
def test_a_plain_path_component_is_a_name_of_a_sweep(name, tmp_path):
    assert ledger_in(tmp_path, name).folder == tmp_path / ".sweeps" / str(name)


@pytest.fixture
def precious(tmp_path):
    """A folder of the user's beside the place of the runs, with what the ledger of a sweep would have."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "0.json").write_text("{}")
    (folder / "thesis.tex").write_text("years of work")
    return folder


WAYS = {
    "one job": ["{name}"],
    "sweep": ["-m", "seed=0,1", "{name}"],
    "with pluses": ["-m", "seed=0,1", "++{name}"],
    "in a mapping": ["sweep={{name: '{value}'}}"],
    "side by side": ["-m", "seed=0,1", "{name}", "hydra/launcher=vectorized"],
    "joblib": ["-m", "seed=0,1", "{name}", "hydra/launcher=joblib"],
    "submitit": ["-m", "seed=0,1", "{name}", "hydra/launcher=submitit_local"],
    "dry": ["-m", "seed=0,1", "{name}", "--dry"],
    "dry job": ["{name}", "--dry"],
    "axis": ["-m", "{name},b"],
    "mode": ["hydra.mode=MULTIRUN", "seed=0,1", "{name}"],
    "yaml": ["--config-dir=own", "experiment=mine"],
    "yaml in a sweep": ["--config-dir=own", "experiment=mine", "hydra.mode=MULTIRUN", "seed=0,1"],
    "params": ["--config-dir=own", "-m", "experiment=axis"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "value"), [*((way, "absolute") for way in WAYS), ("sweep", ".."), ("sweep", "../../precious")]
)
def test_a_bad_name_of_a_sweep_is_one_line_and_nothing_is_touched(way, value, cli, tmp_path, precious):
    if way in ("joblib", "submitit"):
        pytest.importorskip(f"hydra_plugins.hydra_{way}_launcher")
    value = str(precious) if value == "absolute" else value
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/mine.yaml").write_text(f"# @package _global_\nsweep: {{name: {value}}}\n")
    axis = f"# @package _global_\nhydra: {{sweeper: {{params: {{sweep.name: '{value},b'}}}}}}\n"
    (tmp_path / "own/experiment/axis.yaml").write_text(axis)
    before = tree(tmp_path)
    words = [word.format(name=f"sweep.name={value}", value=value) for word in WAYS[way]]
    code, out, err = cli(*words, "drift=kl", *SMALL)
    assert code == 2
    assert err.startswith("gmdwgf: sweep.name=")
    assert err.count("\n") == 1
    assert out == ""
    assert tree(tmp_path) == before


@pytest.mark.thorough
def test_a_bad_name_that_only_one_job_has_is_refused_by_that_job(cli, tmp_path, precious):
    (tmp_path / "own/experiment").mkdir(parents=True)
    for name in ("../../precious", "fine"):
        file = tmp_path / f"own/experiment/{name[-4:]}.yaml"
        file.write_text(f"# @package _global_\nsweep: {{name: {name}, dry: true}}\n")
    before = tree(precious)
    command = ["--config-dir=own", "hydra.mode=MULTIRUN", "experiment=ious,fine", "drift=kl", *SMALL]
    code, out, err = cli(*command)
    assert "experiment=ious drift=kl" in out
    assert "refused: sweep.name=../../precious: must be" in out
    assert "experiment=fine drift=kl" in out
    assert tree(precious) == before
    assert not list(tmp_path.glob("runs/*-*")), err + str(code)


@pytest.mark.thorough
def test_what_a_sweep_has_one_of_is_no_axis(cli, tmp_path):
    for axis in ("sweep.dry=true,false", "sweep.fail_fast=true,false"):
        code, _, err = cli("-m", "drift=kl", axis)
        assert code == 2
        assert err.startswith(f"gmdwgf: {axis}: must have a single value")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_attempt_is_forgotten_and_files_of_others_are_not(tmp_path):
    ledger = ledger_in(tmp_path)
    for job in range(3):
        ledger.begin(job)
    assert ledger.counts() == {"failed": 3}
    ledger.clear()
    assert not ledger.folder.exists()
    ledger.begin(7)
    others = ["notes.json", "1.txt", "1.json.bak", "-1.json", f".9.{os.getpid()}.tmp.json"]
    for name in others:
        (ledger.folder / name).write_text("{}")
    (ledger.folder / "5.json").symlink_to(ledger.folder / "1.txt")
    (ledger.folder / ".9.4194305.tmp.json").touch()  # of a process that cannot be: numbers end at 2^22
    ledger.clear()
    assert {path.name for path in ledger.folder.iterdir()} == {*others, "5.json"}
    assert ledger_in(tmp_path).jobs() == {}


def test_an_entry_replaces_a_link_and_leaves_alone_what_it_points_to(tmp_path, precious):
    ledger = ledger_in(tmp_path)
    ledger.folder.mkdir(parents=True)
    (ledger.folder / "0.json").symlink_to(precious / "thesis.tex")
    ledger.end(0, "done", "fine")
    assert (precious / "thesis.tex").read_text() == "years of work"
    assert ledger_in(tmp_path).counts() == {"done": 1}


@pytest.mark.thorough
@pytest.mark.parametrize("link", [".sweeps", ".sweeps/mine"])
def test_a_ledger_behind_a_link_is_refused(link, cli, tmp_path, precious):
    (precious / "mine").mkdir()
    (precious / "mine/0.json").write_text("{}")
    (tmp_path / "runs" / link).parent.mkdir(parents=True)
    (tmp_path / "runs" / link).symlink_to(precious)
    before = tree(tmp_path)
    code, _, err = cli("-m", "drift=kl", "seed=0,1", "sweep.name=mine", *SMALL)
    assert code == 2
    assert f"runs/{link} is a link; remove it" in err
    assert tree(tmp_path) == before


def test_the_ledger_of_a_dry_sweep_is_in_memory_alone(tmp_path):
    earlier = ledger_in(tmp_path)
    earlier.end(0, "failed", "of the last time")
    before = tree(tmp_path)
    ledger = ledger_in(tmp_path, dry=True)
    ledger.clear()
    assert ledger.jobs() == {}
    ledger.end(1, "would run", "fine")
    assert ledger.counts() == {"would run": 1}
    assert tree(tmp_path) == before


@pytest.mark.thorough
def test_a_tilde_in_the_folder_of_a_sweep_is_the_home_of_the_user(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    code, _, err = cli("-m", "drift=kl", "drift.bandwidth=-1", "paths.root='~/runs'", *SMALL)
    assert code == 1, err
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert (tmp_path / "home/runs/multirun.yaml").is_file()
