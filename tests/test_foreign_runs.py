"""A run folder of a stranger runs nothing: what it may name, and what is read of it without running anything."""

import os
import subprocess
import sys

import pytest
import yaml

import gmdwgf
from gmdwgf.config.build import ConfigError, config_dir, shipped_piece
from gmdwgf.files import DamagedFile
from gmdwgf.runs import snapshots
from gmdwgf.runs.records import RunFiles
from tests.conftest import ROOT
from tests.runs.folders import make_run

CANARY = """
from pathlib import Path
SUNG = Path(__file__).with_name("sung")
SUNG.touch()
def sing(*args, **kwargs):
    SUNG.touch()
"""

DIFFERENT = [
    "canary.sing",
    "os.system",
    "builtins.exec",
    "gmdwgf.train.os.system",
    "gmdwgf.report.main",
    "gmdwgf.config.build.build",
    "gmdwgf.launch.loading.load_run",
    "gmdwgf.canary.Drift",
    "gmdwgf..canary.Drift",
    "gmdwgf.drifts.kl.StatelessDrift",
    "gmdwgf.drifts.kl.KLDrift.update",
    "gmdwgf.features.base.Function",
    "gmdwgf.launch.summary.SweepSummary",
    "gmdwgf.KLDrift",
    "KLDrift",
    "../canary.Drift",
    "",
    None,
    5,
    ["canary.sing"],
    {"_target_": "canary.sing"},
]
"""Names that are no piece of the package: code of others, functions, other modules' things, and what is no name."""


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A module that leaves a file when it is imported or called, in the working directory, which is on the path."""
    (tmp_path / "gmdwgf").mkdir()
    for path in (tmp_path / "canary.py", tmp_path / "gmdwgf" / "canary.py"):
        path.write_text(CANARY + "class Drift:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda: [path for path in tmp_path.rglob("sung")]
    sys.modules.pop("canary", None)


@pytest.mark.parametrize("name", DIFFERENT, ids=str)
def test_what_is_no_piece_of_the_package_is_refused_before_it_is_imported(canary, name):
    imported = set(sys.modules)
    with pytest.raises(ConfigError, match="trust=True"):
        shipped_piece(name, "drift._target_")
    assert not canary()
    assert not {new for new in set(sys.modules) - imported if "canary" in new or new == "gmdwgf.report"}


@pytest.mark.parametrize("group", ["dataset", "drift", "generator", "optimizer", "training", "condition", "features"])
def test_every_piece_of_the_shipped_configs_is_one_that_a_folder_may_name(group):
    def names(node):
        if isinstance(node, dict):
            yield from [node["_target_"]] if "_target_" in node else []
        for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
            yield from names(item)

    found = [name for path in (config_dir() / group).glob("*.yaml") for name in names(yaml.safe_load(path.read_text()))]
    assert found
    calls_a_function = {"gmdwgf.features.base.Function", "gmdwgf.targets.energies.OwnEnergyTarget"}
    for name in set(found) - calls_a_function:
        assert shipped_piece(name, group).__module__ == name.rpartition(".")[0]


FOREIGN = {"_target_": "canary.sing", "command": "touch sung"}

PLACES = {
    "dataset": {"dataset": FOREIGN},
    "a field of the dataset": {"dataset": {"radius": FOREIGN}},
    "drift": {"drift": FOREIGN},
    "a field of the drift": {"drift": {"bandwidth": FOREIGN}},
    "a schedule": {"drift": {"bandwidth": {"schedule": "canary.sing", "command": "touch sung"}}},
    "a number of a schedule": {"drift": {"bandwidth": {"schedule": "constant", "value": FOREIGN}}},
    "a number of a rule": {"drift": {"bandwidth": {"rule": "median", "factor": FOREIGN}}},
    "a list": {"drift": {"bandwidth": [0.1, FOREIGN]}},
    "generator": {"generator": FOREIGN},
    "a field of the generator": {"generator": {"width": FOREIGN}},
    "optimizer": {"optimizer": FOREIGN},
    "the schedule of the rate": {"optimizer": {"schedule": FOREIGN}},
    "training": {"training": FOREIGN},
    "a number of the plan": {"training": {"ema_decay": FOREIGN}},
    "condition": {"condition": FOREIGN},
    "features": {"features": FOREIGN},
    "the maps of the features": {
        "features": {"_target_": "gmdwgf.drifts.wrappers.feature_space.FeatureSpace", "maps": FOREIGN}
    },
    "one of several maps": {
        "features": {
            "_target_": "gmdwgf.drifts.wrappers.feature_space.FeatureSpace",
            "maps": {"_target_": "gmdwgf.features.base.ConcatenatedFeatures", "parts": [FOREIGN]},
        }
    },
    "a function as features": {
        "features": {
            "_target_": "gmdwgf.drifts.wrappers.feature_space.FeatureSpace",
            "maps": {"_target_": "gmdwgf.features.base.Function", "function": "canary:sing"},
        }
    },
}


def merged(config, changes):
    """`config` with the fields of `changes`; what has a `_target_` of its own replaces what was there."""
    if not isinstance(config, dict) or not isinstance(changes, dict) or "_target_" in changes:
        return changes
    return config | {name: merged(config.get(name), value) for name, value in changes.items()}


def planted(job, changes):
    path = job.folder.path / "config.yaml"
    path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), changes)))
    return job.folder.path


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_load_run_runs_nothing_that_a_folder_names(tmp_path, canary, place):
    folder = planted(make_run(tmp_path / "runs", drift="kl"), PLACES[place])
    with pytest.raises(ConfigError, match=r"canary|Function") as refused:
        gmdwgf.load_run(folder)
    assert "load_run(folder, trust=True)" in str(refused.value)
    assert refused.value.key.split(".")[0] == next(iter(PLACES[place]))
    assert not canary()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("drift", "part"),
    [
        ("sum", {"drifts": [FOREIGN]}),
        ("critic", {"optimizer": FOREIGN}),
        ("critic", {"optimizer": {"schedule": FOREIGN}}),
    ],
)
def test_load_run_runs_nothing_that_a_part_of_a_drift_names(tmp_path, canary, drift, part):
    folder = planted(make_run(tmp_path / "runs", drift=drift), {"drift": part})
    with pytest.raises(ConfigError, match=r"drift\.(drifts\.0|optimizer).*canary"):
        gmdwgf.load_run(folder)
    assert not canary()


@pytest.mark.slow
def test_a_trusted_folder_may_name_a_drift_and_a_schedule_of_ones_own(tmp_path, canary):
    (tmp_path / "mine.py").write_text(
        "from gmdwgf.drifts.kl import KLDrift\nfrom gmdwgf.optim.schedules import Constant\n"
        "class Mine(KLDrift):\n    pass\nclass Slow(Constant):\n    pass\n"
    )
    changes = {"bandwidth": {"schedule": "mine.Slow", "value": 0.3}}
    job = make_run(tmp_path / "runs", drift="kl")
    drift = yaml.safe_load((job.folder.path / "config.yaml").read_text())["drift"]
    folder = planted(job, {"drift": drift | changes | {"_target_": "mine.Mine"}})
    with pytest.raises(ConfigError, match="trust=True"):
        gmdwgf.load_run(folder)
    with pytest.raises(ConfigError, match="no readable checkpoint"):  # all else of it is made
        gmdwgf.load_run(folder, trust=True)
    sys.modules.pop("mine", None)


@pytest.mark.thorough
def test_a_folder_of_ones_own_is_made_of_what_it_says_without_trust(tmp_path):
    bandwidth = {"schedule": "exponential", "start": {"rule": "median"}, "end": 0.1, "n_steps": 100}
    folder = planted(make_run(tmp_path, drift="kl"), {"drift": {"bandwidth": bandwidth}})
    with pytest.raises(ConfigError, match="no readable checkpoint"):
        gmdwgf.load_run(folder)


@pytest.mark.thorough
@pytest.mark.parametrize("text", ["${oc.env:HOME}", "${oc.decode:'1'}", "${seed}", "${oc.create:{a: 1}}"])
def test_load_run_resolves_nothing_of_a_folder(tmp_path, text, monkeypatch):
    monkeypatch.setenv("HOME", "/a/secret/place")
    folder = planted(make_run(tmp_path, drift="kl"), {"drift": {"bandwidth": text}})
    with pytest.raises(ConfigError) as refused:
        gmdwgf.load_run(folder)
    assert refused.value.key == "drift.bandwidth"
    assert text in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_yaml_tag_that_would_make_an_object_is_not_followed(tmp_path, canary):
    job = make_run(tmp_path / "runs", drift="kl")
    path = job.folder.path / "config.yaml"
    path.write_text(path.read_text() + "_extra: !!python/object/apply:canary.sing []\n")
    with pytest.raises(DamagedFile, match="could not determine a constructor"):
        gmdwgf.load_run(job.folder.path)
    assert not canary()


def test_an_array_of_objects_in_the_samples_is_not_unpickled(tmp_path, canary):
    import numpy as np

    class Bomb:
        def __reduce__(self):
            import canary as bird

            return bird.sing, ()

    job = make_run(tmp_path / "runs", drift="kl")
    np.savez(job.folder.samples, x=np.array([Bomb()], dtype=object), steps=[0], y=np.zeros((3, 2)))
    for bird in canary():
        bird.unlink()
    with pytest.raises(DamagedFile):
        snapshots.read(job.folder.samples)
    assert RunFiles(job.folder.path).read_samples() is None
    assert not canary()


READERS = """
import sys
sys.path.insert(0, "")
from gmdwgf import report
from gmdwgf.runs.__main__ import main as runs_command
folder = sys.argv[1]
for words in (["status", folder], ["collect", folder], ["collect", "--seeds", folder]):
    assert runs_command(words) == 0, words
assert report.main([folder]) == 0
loaded = [name for name in sys.modules if name.split(".")[0] in ("canary", "jax", "flax", "equinox") or "drifts" in name]
assert not loaded, loaded
"""


@pytest.mark.thorough
def test_status_collect_and_report_import_nothing_that_a_folder_names(tmp_path, canary):
    for place in ("dataset", "drift", "a schedule", "optimizer", "a function as features"):
        planted(make_run(tmp_path / "runs", drift="kl", seed=len(place)), PLACES[place])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", READERS, str(tmp_path / "runs")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not canary()


@pytest.mark.slow
def test_the_command_of_a_run_is_composed_of_the_shipped_configs_alone(tmp_path, canary):
    """`commands` composes what a run was chosen from: a name in the folder's name is looked up, never followed."""
    from gmdwgf.analysis.commands import Commands
    from gmdwgf.runs.records import read_runs

    job = make_run(tmp_path / "runs", drift="kl")
    (tmp_path / "evil.yaml").write_text("_target_: canary.sing\n")
    for name in ("eight_gaussians-..", "evil.yaml-kl", "eight_gaussians-evil", "eight_gaussians-kl,blob"):
        job.folder.path.rename(tmp_path / "runs" / f"{name}-{job.id}")
        (run,) = read_runs(tmp_path / "runs")
        assert Commands()(run) is None
        job.folder.path.parent.joinpath(f"{name}-{job.id}").rename(job.folder.path)
    folder = planted(job, {"generator": {"_target_": "${oc.env:HOME}"}, "drift": {"bandwidth": "${oc.env:HOME}"}})
    (run,) = read_runs(folder)
    assert "${oc.env:HOME}" in (Commands()(run) or "")
    assert not canary()
