"""The command line as a user meets it: its spellings, its one-line complaints, its sweeps."""

import json

import numpy as np
import pytest
from omegaconf import OmegaConf

from gmdwgf.runs import __main__ as runs_command
from tests.conftest import gmdwgf

TINY = ["debug=tiny", "tracking.wandb.mode=disabled"]


BAD_INPUT = {
    "unknown drift": (["drift=sinkhron"], ["drift=sinkhron", "did you mean sinkhorn", "deng", "kl", "mmd"]),
    "unknown drift with a plus": (["+drift=foo"], ["drift=foo", "Known:", "kl"]),
    "no drift": (["drift=null"], ["drift=null", "give one of", "drift=NAME"]),
    "no condition": (["condition=null"], ["condition=null", "leave it out, or give one of classes"]),
    "drift taken away": (["~drift"], ["~drift", "give one of"]),
    "two drifts": (["drift=[kl,mmd]"], ["drift=[kl,mmd]", "-m drift=A,B", "drift=sum"]),
    "misspelt group of a key": (["train.n_steps=9"], ["train.n_steps=9", "did you mean training"]),
    "misspelt part of a key": (["optimizer.schedul.decay=cosine"], ["did you mean schedule"]),
    "features of other points": (["drift=kl", "+features=digits"], ["features=", "2 dimensions"]),
    "a drift of one's own, misspelt": (["--config-dir=own", "drift=outr"], ["did you mean outer"]),
    "a field of one's own drift": (["--config-dir=own", "drift=outer", "drift.bandwith=1"], ["did you mean bandwidth"]),
    "transposed array": (["dataset=array", "dataset.path=wide.npy"], ["[2, 500]", "array.T"]),
    "unknown dataset": (["dataset=moons"], ["dataset=moons", "two_moons"]),
    "misspelt field": (["drift=kl", "drift.bandwith=0.3"], ["drift.bandwith=0.3", "did you mean bandwidth"]),
    "misspelt field behind a plus": (
        ["drift=kl", "+drift.bandwith=0.3"],
        ["drift.bandwith=0.3", "did you mean bandwidth"],
    ),
    "wrong type": (["drift=kl", "drift.bandwidth=wide"], ["drift.bandwidth=wide", "must be a number", "default is"]),
    "negative bandwidth": (["drift=kl", "drift.bandwidth=-0.3"], ["drift.bandwidth=-0.3", "greater than 0"]),
    "NaN bandwidth": (["drift=kl", "drift.bandwidth=nan"], ["drift.bandwidth=nan", "finite"]),
    "zero batch": (["training.batch_size=0"], ["training.batch_size=0", "at least 1", "training.batch_size=512"]),
    "fraction of a batch": (["training.batch_size=10.5"], ["training.batch_size=10.5", "integer"]),
    "bad option": (["drift=kl", "drift.self_term=none"], ["drift.self_term=none", "leave_one_out"]),
    "misspelt key behind a plus": (["+sed=3"], ["sed=3", "did you mean seed"]),
    "bad seed": (["seed=one"], ["seed=one", "integer"]),
    "bad rate": (["optimizer.learning_rate=0"], ["optimizer.learning_rate=0", "greater than 0"]),
    "no array given": (["dataset=array"], ["dataset.path=null", "set dataset.path=", "[N d]"]),
    "array missing": (["dataset=array", "dataset.path=none.npy"], ["dataset.path=none.npy", "is not a file"]),
    "array of wrong shape": (["dataset=array", "dataset.path=flat.npy"], ["dataset.path=flat.npy", "[12]", "[N d]"]),
    "array with NaN": (["dataset=array", "dataset.path=holes.npy"], ["dataset.path=holes.npy", "1 of 6 rows"]),
    "latent of another size": (["generator=conv"], ["generator.shape=[8, 8, 4]", "256", "have 2;"]),
    "unwritable folder": (["paths.root=file.txt/runs"], ["paths.root=", "file.txt/runs", "choose another folder"]),
    "drift by its file": (["drift=kl.yaml"], ["drift=kl.yaml", ": drift=kl"]),
    "dataset outside of its group": (
        ["dataset=../other/cloud"],
        ["dataset=../other/cloud", "--config-dir=OWN dataset="],
    ),
    "dataset by an upward path in one's own folder": (
        ["--config-dir=own", "drift=../../other/outer"],
        ["drift=../../other/outer", "is not the name of a config"],
    ),
    "bad tracking mode": (["tracking.wandb.mode=on"], ["tracking.wandb.mode=on", "offline"]),
}


@pytest.mark.thorough
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_that_names_key_value_and_fix(case, cli, tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros(12))
    holes = np.ones((6, 2))
    holes[3, 1] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    np.save(tmp_path / "wide.npy", np.ones((2, 500)))
    (tmp_path / "file.txt").write_text("not a folder")
    (tmp_path / "own/drift").mkdir(parents=True)
    own = "_target_: gmdwgf.drifts.kl.KLDrift\nbandwidth: 0.3\nself_term: keep\n"
    (tmp_path / "own/drift/outer.yaml").write_text(own)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/outer.yaml").write_text(own)
    arguments, expected = BAD_INPUT[case]
    code, out, err = cli(*arguments)
    assert code == 2
    assert err.startswith("gmdwgf: ")
    assert len(err.strip().splitlines()) == 1, err
    for words in expected:
        assert words in err
    assert "Traceback" not in out + err
    assert not list(tmp_path.glob("runs/*/manifest.json")), "a run was begun"


@pytest.mark.thorough
@pytest.mark.parametrize("spelling", [["+drift=kl"], ["drift=kl"], ["++drift=kl"]])
def test_both_spellings_choose_a_drift(spelling, cli):
    code, out, _ = cli(*spelling, "--cfg", "job")
    assert code == 0
    assert "KLDrift" in out


def test_no_drift_at_all_is_sinkhorn(cli):
    assert "SinkhornDrift" in cli("--cfg", "job")[1]


@pytest.mark.thorough
def test_help_lists_every_choice(cli):
    out = cli("--help")[1]
    for words in ("deng, ", "two_moons", "particles", "debug=tiny", "KEY=VALUE"):
        assert words in out


@pytest.mark.thorough
def test_a_sweep_runs_each_cell_once_and_typed_again_does_nothing(cli, tmp_path):
    command = ["-m", "+drift=kl", "seed=0,1", *TINY]
    code, out, err = cli(*command)
    assert code == 0, err
    folders = sorted((tmp_path / "runs").glob("*/DONE.json"))
    assert len(folders) == 2
    before = [folder.stat().st_mtime_ns for folder in folders]

    code, out, _ = cli(*command)
    assert code == 0
    assert out.count("already done") == 2
    assert [folder.stat().st_mtime_ns for folder in folders] == before

    removed = folders[1].parent
    assert runs_command.main(["rm", "runs", removed.name, "--yes"]) == 0  # all that a run leaves is known as gmdwgf's
    assert not removed.exists()
    code, out, _ = cli(*command)
    assert out.count("already done") == 1
    assert folders[1].is_file()


@pytest.mark.slow
def test_a_bad_cell_does_not_stop_the_others(cli, tmp_path):
    code, out, _ = cli("-m", "+drift=kl", "drift.bandwidth=-1,0.3", *TINY)
    assert code == 1
    assert "refused: drift.bandwidth=-1" in out
    assert "2 jobs: 1 done, 0 skipped, 0 diverged, 1 failed" in out
    assert len(list((tmp_path / "runs").glob("*/DONE.json"))) == 1
    (failed,) = (tmp_path / "runs").glob("*/FAILED.json")
    assert "greater than 0" in json.loads(failed.read_text())["error"]
    assert OmegaConf.load(failed.parent / "config.yaml").drift.bandwidth == -1


@pytest.mark.slow
def test_one_value_for_a_field_that_the_swept_drifts_have_and_the_default_has_not(cli, capsys):
    code, out, err = cli("-m", "+drift=kl,blob", "drift.bandwidth=0.5", "--dry")
    assert code == 0, err
    assert "drift=kl drift.bandwidth=0.5: would run" in out
    assert "2 jobs: 2 would run" in out
    code, _, err = cli("-m", "+drift=kl,blob", "drift.bandwith=0.5", "--dry")
    assert code == 2
    assert err.startswith("gmdwgf: drift.bandwith=0.5: unknown; did you mean bandwidth?")


@pytest.mark.thorough
def test_a_diverged_run_is_a_result(cli, tmp_path):
    code, out, err = cli("drift=mmd", "training.divergence_radius=0.5", *TINY)
    assert code == 0, err
    assert "diverged (position" in out
    (ending,) = (tmp_path / "runs").glob("*/DIVERGED.json")
    facts = json.loads(ending.read_text())
    assert facts["diverged_term"] == "position"
    assert float(facts["diverged_value"]) > 0.5
    again = cli("drift=mmd", "training.divergence_radius=0.5", *TINY)[1]
    assert "already diverged" in again
    assert "another version" not in again

    manifest = ending.parent / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"drift_file": "00000000"}))
    again = " ".join(cli("drift=mmd", "training.divergence_radius=0.5", *TINY)[1].split())
    assert "another version" in again
    assert "(python -m gmdwgf.runs rm runs/" in again


@pytest.mark.slow
def test_the_module_and_the_console_script_are_one_command(tmp_path):
    done = gmdwgf("+drift=kl", "seed=-1", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("gmdwgf: seed=-1")
