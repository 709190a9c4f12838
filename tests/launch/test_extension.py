"""A finished run that goes on for more steps is the run it would have been from the start."""

import json

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import gmdwgf
from gmdwgf.config.build import ConfigError, build, config_dir
from gmdwgf.engine.checkpoints import Checkpoints
from gmdwgf.engine.inheritance import take_over
from gmdwgf.files import DamagedFile
from gmdwgf.launch.extension import parent_of
from gmdwgf.launch.spec import make_spec
from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.snapshots import Snapshots
from tests.engine.test_checkpoints import contents, state_at
from tests.launch.common import SMALL
from tests.runs.folders import make_run
from tests.training.common import same_bits

CONSTANT = {"drift": "kl", "optimizer__schedule__decay": "constant"}


def longer(root, extend, n_steps=400, **choices):
    """The job that asks for a longer run."""
    overrides = [f"{name.replace('__', '.')}={value}" for name, value in (CONSTANT | choices).items()]
    overrides += [f"training.n_steps={n_steps}", f"paths.root={root}"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    cfg.extend = extend
    return make_spec(cfg, {"dataset": "eight_gaussians", "drift": "kl"})


def parent(job):
    return parent_of(job.config, job.folder, build(job.config["optimizer"], "optimizer"))


def refusal(job):
    with pytest.raises(ConfigError) as caught:
        parent(job)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.thorough
def test_a_parent_is_named_by_its_folder_its_name_or_its_id_or_is_found(tmp_path):
    made = make_run(tmp_path, **CONSTANT)
    make_run(tmp_path, **CONSTANT, seed=1)
    for extend in (str(made.folder.path), made.name, made.id, True):
        found = parent(longer(tmp_path, extend))
        assert (found.folder.path, found.id, found.n_steps) == (made.folder.path, made.id, 200)
    assert parent(longer(tmp_path, None)) is None
    assert parent(longer(tmp_path, True, seed=2)) is None


@pytest.mark.thorough
def test_the_longest_run_that_fits_is_found(tmp_path):
    names = {n: make_run(tmp_path, **CONSTANT, training__n_steps=n).name for n in (100, 300, 500)}
    assert parent(longer(tmp_path, True, n_steps=400)).folder.path.name == names[300]
    assert parent(longer(tmp_path, True, n_steps=300)).folder.path.name == names[100]


def test_extend_is_no_part_of_the_identity(tmp_path):
    assert longer(tmp_path, True).id == longer(tmp_path, None).id


@pytest.mark.thorough
def test_what_differs_beside_the_steps_is_named(tmp_path):
    made = make_run(tmp_path, **CONSTANT)
    said = refusal(longer(tmp_path, made.id, seed=3, drift__bandwidth=0.5))
    assert "seed (0 there, 3 here)" in said
    assert "drift.bandwidth (0.3 there, 0.5 here)" in said
    assert "only training.n_steps may" in said
    schedule = "{schedule: linear, start: 1.0, end: 0.1, n_steps: %d}"
    made = make_run(tmp_path, **CONSTANT, drift__bandwidth=schedule % 200)
    assert "drift.bandwidth.n_steps (200 there, 400 here)" in refusal(
        longer(tmp_path, made.id, drift__bandwidth=schedule % 400)
    )
    assert parent(longer(tmp_path, made.id, drift__bandwidth=schedule % 200)).id == made.id


def test_keys_on_which_no_number_depends_may_differ(tmp_path):
    made = make_run(tmp_path, **CONSTANT)
    job = longer(tmp_path, made.id, training__checkpoint_every=7, training__chunk_size=3, tracking__progress="false")
    assert parent(job).id == made.id


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("schedule", "fix"),
    [
        ({"optimizer__schedule__decay": "cosine"}, "optimizer.schedule.decay=constant"),
        ({"optimizer__schedule__decay": "linear"}, "optimizer.schedule.decay=constant"),
        ({"optimizer__schedule__warmup_fraction": 0.1}, "optimizer.schedule.warmup_fraction=0"),
    ],
)
def test_a_rate_that_depends_on_the_number_of_steps_is_refused_with_what_is_right(tmp_path, schedule, fix):
    made = make_run(tmp_path, **CONSTANT | schedule)
    for extend in (made.id, True):
        said = refusal(longer(tmp_path, extend, **schedule))
        assert fix in said
        assert "extend=null" in said


@pytest.mark.thorough
@pytest.mark.parametrize("state", ["diverged", "failed", "unfinished"])
def test_only_a_finished_run_is_extended(tmp_path, state):
    made = make_run(tmp_path, state=state, **CONSTANT)
    assert {"failed": "has failed", "unfinished": "has not finished"}.get(state, state) in refusal(
        longer(tmp_path, made.id)
    )


@pytest.mark.thorough
def test_a_parent_that_is_not_there_or_not_shorter_is_refused(tmp_path):
    made = make_run(tmp_path, **CONSTANT)
    assert "no name or id of a run" in refusal(longer(tmp_path, "deadbeef"))
    assert "in quotes" in refusal(longer(tmp_path, 1.5))
    assert "must be more than the 200 steps" in refusal(longer(tmp_path, made.id, n_steps=100))


@pytest.mark.thorough
def test_a_parent_whose_data_changed_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(300, 2)))
    data = {"dataset": "array", "dataset__path": tmp_path / "x.npy"}
    made = make_run(tmp_path / "runs", **CONSTANT, **data)
    assert parent(longer(tmp_path / "runs", made.id, **data)).id == made.id
    np.save(tmp_path / "x.npy", rng.normal(size=(300, 2)))
    assert "its data have changed" in refusal(longer(tmp_path / "runs", made.id, **data))


def test_a_run_with_checkpoints_of_its_own_needs_no_parent(tmp_path):
    job = longer(tmp_path, "gone")
    (job.folder.checkpoints / "20").mkdir(parents=True)
    assert parent(job) is None


def with_checkpoint(run, step):
    checkpoints = Checkpoints(run.checkpoints, print)
    best = {"gap": 0.0, "step": step}
    notes = {"seconds": 3.0, "best": best, "record": {"step": step, "gap": 1.0}, "scored_by": "gap"}
    checkpoints.save(state_at(step), 1.0, notes)
    checkpoints.close()


def tree(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.thorough
def test_a_child_takes_over_history_and_checkpoint_and_leaves_its_parent_alone(tmp_path):
    made = make_run(tmp_path, steps=(0, 100, 130), **CONSTANT)
    with_checkpoint(made.folder, 130)
    before = tree(made.folder.path)
    child = RunDir(tmp_path / "child")
    child.path.mkdir()
    checkpoints = Checkpoints(child.checkpoints, print)
    take_over(made.folder, child, checkpoints, 100, state_at(0))
    plain, notes = checkpoints.latest(state_at(0))
    checkpoints.close()
    assert tree(made.folder.path) == before
    assert contents((plain, 0)) == contents((state_at(130), 0))
    lines = made.folder.metrics.read_text().splitlines()
    assert child.metrics.read_text().splitlines() == lines[:2]  # 130 was looked at only because the run ended there
    assert notes["best"] == {"gap": 10.0, "step": 100}
    assert notes["scored_by"] == "gap"
    snapshots = Snapshots(child.samples, np.zeros((1, 2)))
    snapshots.load(up_to=1000)
    assert sorted(snapshots.taken) == [0, 100]


def test_a_parent_without_a_readable_checkpoint_or_history_is_refused(tmp_path):
    made = make_run(tmp_path, **CONSTANT)
    child = RunDir(tmp_path / "child")
    child.path.mkdir()
    checkpoints = Checkpoints(child.checkpoints, print)
    with pytest.raises(DamagedFile, match=r"checkpoint.*extend=null"):
        take_over(made.folder, child, checkpoints, 100, state_at(0))
    with_checkpoint(made.folder, 200)
    made.folder.samples.write_bytes(b"")
    with pytest.raises(DamagedFile, match="records or samples cannot be read"):
        take_over(made.folder, child, checkpoints, 100, state_at(0))
    assert checkpoints.steps() == []
    checkpoints.close()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "vectorized"])
def test_a_run_that_was_extended_is_the_run_from_the_start(cli, tmp_path, launcher):
    words = ["-m", "+drift=kl", "optimizer.schedule.decay=constant", *SMALL, f"hydra/launcher={launcher}"]
    words += ["seed=0,1"]
    for more in (["training.n_steps=6"], ["training.n_steps=16", "extend=true"]):
        code, out, err = cli(*words, *more, "paths.root=extended")
        assert code == 0, out + err
    assert out.count("continues from the end of") == 2
    assert out.count("resuming at step 6 of 16") == 2
    code, out, err = cli(*words, "training.n_steps=16", "paths.root=fresh")
    assert code == 0, out + err
    fresh = sorted((tmp_path / "fresh").glob("*/DONE.json"))
    assert len(fresh) == 2
    for ending in fresh:
        whole, again = (gmdwgf.load_run(tmp_path / root / ending.parent.name) for root in ("fresh", "extended"))
        without_clock = lambda run: [{k: v for k, v in r.items() if k != "seconds"} for r in run.records]
        assert without_clock(whole) == without_clock(again)
        assert [record["step"] for record in again.records] == [0, 4, 8, 12, 16]
        np.testing.assert_array_equal(whole.samples, again.samples)
        assert same_bits(whole.params, again.params)
        one, other = (
            json.loads((tmp_path / root / ending.parent.name / "DONE.json").read_text())
            for root in ("fresh", "extended")
        )
        assert (one["best_gap"], one["best_step"]) == (other["best_gap"], other["best_step"])
        manifest = json.loads((tmp_path / "extended" / ending.parent.name / "manifest.json").read_text())
        kept = RunDir(tmp_path / "extended" / manifest["parent"]["folder"].rpartition("/")[2])
        assert kept.manifest()["id"] == manifest["parent"]["id"] != manifest["id"]
        assert manifest["parent"]["n_steps"] == 6


@pytest.mark.slow
def test_a_cosine_that_has_ended_is_refused_before_anything_compiles(cli, tmp_path):
    words = ["+drift=kl", *SMALL]
    assert cli(*words)[0] == 0
    (folder,) = (tmp_path / "runs").iterdir()
    code, out, err = cli(*words, "training.n_steps=16", f"extend={folder}")
    assert code == 2
    assert "optimizer.schedule.decay=constant" in err
    assert len(err.strip().splitlines()) == 1
    assert list((tmp_path / "runs").iterdir()) == [folder]
