"""Sweeps as a user meets them: typed, killed, typed again, with cells that go wrong."""

import contextlib
import json
import signal
import subprocess

import pytest

from tests.conftest import gmdwgf
from tests.launch.common import SMALL, differences, endings, final_mmd2, states, steps_of
from tests.processes import start, wait_for

FOUR = ["-m", "+drift=kl", "drift.bandwidth=0.3,0.5", "seed=0,1", *SMALL]


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """The runs of four cells, by the basic launcher in one process."""
    cwd = tmp_path_factory.mktemp("four")
    done = gmdwgf(*FOUR, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "4 jobs: 4 done, 0 skipped, 0 diverged, 0 failed" in done.stdout
    return cwd / "runs"


@pytest.mark.thorough
def test_fail_fast_leaves_out_what_has_not_begun(cli, tmp_path):
    code, out, _ = cli("-m", "+drift=kl", "drift.bandwidth=-1,0.3,0.5", "sweep.fail_fast=true", *SMALL)
    assert code == 1
    assert "3 jobs: 0 done, 0 skipped, 0 diverged, 1 failed, 2 left out" in out
    assert list(states(tmp_path / "runs").values()) == ["failed"]


@pytest.mark.slow
def test_dry_says_what_would_come_of_every_cell_and_runs_nothing(four, cli, tmp_path):
    (tmp_path / "runs").symlink_to(four)
    before = steps_of(four)
    code, out, _ = cli("-m", "+drift=kl", "drift.bandwidth=0.3,-1,0.7", "seed=0", "--dry", *SMALL)
    assert code == 1
    assert "drift.bandwidth=-1" in out
    assert "3 jobs: 1 would run, 1 would be skipped, 1 would fail; nothing was run" in out
    assert steps_of(four) == before
    assert len(endings(four)) == 4


WRONG_DRIFT = """
from gmdwgf.drifts.kl import KLDrift

class Wrong(KLDrift):
    def velocity(self, x, y, key, **more):
        output = super().velocity(x, y, key, **more)
        return output._replace(v=output.v[:5])
"""


@pytest.mark.thorough
def test_dry_finds_what_only_a_step_would(cli, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_drift.py").write_text(WRONG_DRIFT)
    code, out, _ = cli("-m", "+drift=kl", "drift._target_=wrong_drift.Wrong", "--dry", *SMALL)
    assert code == 1
    assert "would fail: Type" in out
    assert not list(tmp_path.glob("runs/*/manifest.json"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["measure", "one_by_one"])
def test_jobs_side_by_side_one_by_one_have_the_bits_of_jobs_by_themselves(how, four, cli, tmp_path):
    code, out, err = cli(*FOUR, "hydra/launcher=vectorized", f"hydra.launcher.how={how}")
    assert code == 0, err
    assert "4 jobs: 4 done" in out
    assert differences(tmp_path / "runs", four) == []


@pytest.mark.slow
def test_jobs_as_one_program_agree_with_jobs_by_themselves(four, cli, tmp_path):
    code, out, err = cli(*FOUR, "hydra/launcher=vectorized", "hydra.launcher.how=together")
    assert code == 0, err
    together, alone = final_mmd2(tmp_path / "runs"), final_mmd2(four)
    assert together.keys() == alone.keys()
    for name, mmd2 in alone.items():
        assert together[name] == pytest.approx(mmd2, rel=1e-4)
    assert steps_of(tmp_path / "runs") == steps_of(four)
    for ending in endings(tmp_path / "runs").values():
        assert len(list((ending.parent / "figures").iterdir())) == 4
        assert len(list((ending.parent / "checkpoints").iterdir())) >= 2
    assert "4 jobs: 0 done, 4 skipped" in cli(*FOUR, "hydra/launcher=vectorized")[1]


@pytest.mark.slow
def test_cells_that_diverge_or_are_refused_leave_their_group_alone(cli, tmp_path):
    cells = ["drift.bandwidth=0.3,-1", "training.divergence_radius=0.05,100"]
    code, out, err = cli("-m", "+drift=kl", *cells, "hydra/launcher=vectorized", "hydra.launcher.how=together", *SMALL)
    assert code == 1, err
    assert "4 jobs: 1 done, 0 skipped, 1 diverged, 2 failed" in out
    assert sorted(states(tmp_path / "runs").values()) == ["diverged", "done", "failed", "failed"]


@pytest.mark.slow
def test_a_run_that_is_asked_for_twice_is_run_once(cli):
    cells = ["drift=kl", "training.checkpoint_every=4,8"]  # on which no number depends
    code, out, err = cli("-m", *cells, "hydra/launcher=vectorized", *SMALL[:3], *SMALL[4:])
    assert code == 0, err
    assert "2 jobs: 1 done, 1 skipped" in out


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["how=apart", "max_runs=0", "n_devices=two", "memory_gb=-1", "what=1"])
def test_a_bad_setting_of_the_launcher_is_one_line(setting, cli):
    code, _, err = cli(*FOUR, "hydra/launcher=vectorized", f"hydra.launcher.{setting}")
    assert code == 2
    assert f"hydra.launcher.{setting.split('=')[0]}" in err
    assert len(err.strip().splitlines()) == 1, err


@pytest.mark.thorough
def test_a_launcher_that_is_not_there_is_one_line_with_what_to_install(cli):
    code, _, err = cli(*FOUR, "hydra/launcher=no_such_launcher")
    assert code == 2
    assert "vectorized" in err
    assert "pip install 'gmdwgf[launchers]'" in err


@pytest.mark.slow
def test_a_sweep_killed_and_typed_again_is_the_sweep_never_killed_and_runs_nothing_twice(four, tmp_path):
    process = start(*FOUR, cwd=tmp_path)
    wait_for(lambda: len(endings(tmp_path / "runs")) == 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished = {path: path.stat().st_mtime_ns for path in endings(tmp_path / "runs").values()}
    assert 2 <= len(finished) < 4
    done = gmdwgf(*FOUR, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"4 jobs: {4 - len(finished)} done, {len(finished)} skipped" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert differences(tmp_path / "runs", four) == []


@pytest.mark.slow
def test_a_group_killed_in_the_middle_goes_on_from_its_checkpoints(four, tmp_path):
    how = ["hydra/launcher=vectorized", "hydra.launcher.how=together"]
    process = start(*FOUR, *how, cwd=tmp_path)
    wait_for(lambda: len(list(tmp_path.glob("runs/*/checkpoints/4"))) == 4, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not endings(tmp_path / "runs")
    done = gmdwgf(*FOUR, *how, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("resuming at step") >= 3
    assert steps_of(tmp_path / "runs") == steps_of(four)
    for name, mmd2 in final_mmd2(four).items():
        assert final_mmd2(tmp_path / "runs")[name] == pytest.approx(mmd2, rel=1e-4)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of two megabytes, and what fills it up."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "vectorized"])
def test_a_full_disk_fails_the_job_in_one_line_and_room_lets_it_go_on(launcher, cli, small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1_900_000))  # room for the beginning of a run, not for a checkpoint or a figure
    command = ["-m", "+drift=kl", *SMALL, f"paths.root={small_disk}/runs", f"hydra/launcher={launcher}"]
    code, out, err = cli(*command)
    assert code == 1
    assert "the disk is full; free some space, then the same command resumes the run" in out
    assert "Traceback" not in out
    assert "1 jobs: 0 done, 0 skipped, 0 diverged, 1 failed" in out
    filler.unlink()
    code, out, err = cli(*command)
    assert code == 0, out + err
    assert list(states(small_disk / "runs").values()) == ["done"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "vectorized"])
def test_cells_that_diverge_crash_or_fill_the_disk_leave_the_others_alone(launcher, cli, small_disk, tmp_path):
    command = ["-m", "+drift=kl", "seed=0,1,2", "training.divergence_radius=0.05,100", *SMALL]
    dry = cli(*command, "--dry")[1]
    folder = {
        line.split("]")[0].strip("["): tmp_path / line.split()[-1] for line in dry.splitlines() if "would" in line
    }
    (small_disk / "filler").write_bytes(bytes(1_900_000))
    (small_disk / "run").mkdir()
    folder["5"].symlink_to(small_disk / "run")
    (folder["3"] / "metrics.jsonl").mkdir(parents=True)  # a write that fails in the middle of a run
    code, out, err = cli(*command, f"hydra/launcher={launcher}")
    assert code == 1
    assert "6 jobs: 1 done, 0 skipped, 3 diverged, 2 failed" in out, out + err
    assert "[5] drift=kl seed=2" in out
    assert "the disk is full" in out
    assert "IsADirectoryError" in json.loads((folder["3"] / "FAILED.json").read_text())["traceback"]
    (small_disk / "filler").unlink()
    (folder["3"] / "metrics.jsonl").rmdir()
    code, out, err = cli(*command, f"hydra/launcher={launcher}")
    assert code == 0, out + err
    assert "6 jobs: 2 done, 4 skipped" in out


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_the_same_sweep_by_workers_has_the_same_bits(launcher, four, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    cells = [*FOUR[:2], "drift.bandwidth=-1,0.3,0.5", *FOUR[3:]]
    more = ["hydra.launcher.n_jobs=2"] if launcher == "joblib" else ["hydra.launcher.timeout_min=10"]
    done = gmdwgf(*cells, f"hydra/launcher={launcher}", *more, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "6 jobs: 4 done, 0 skipped, 0 diverged, 2 failed" in done.stdout
    assert done.stdout.count(": done (MMD^2") == 4
    for name, ending in endings(tmp_path / "runs").items():
        if ending.name == "FAILED.json":
            assert "greater than 0" in json.loads(ending.read_text())["error"]
            continue
        assert final_mmd2(tmp_path / "runs")[name] == pytest.approx(final_mmd2(four)[name], rel=1e-6)
    with contextlib.suppress(FileNotFoundError):
        assert "Traceback" not in (tmp_path / "train.log").read_text()
