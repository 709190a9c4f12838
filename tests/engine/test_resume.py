"""Real processes, killed for real."""

import shutil
import signal

import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.data import latent_files
from tests.conftest import gmdwgf as run_command
from tests.processes import start, wait_for
from tests.training.common import same_bits

STEPS = 120
COMMAND = [
    "+drift=kl",
    "debug=tiny",
    f"training.n_steps={STEPS}",
    "training.eval_every=20",
    "training.checkpoint_every=20",
    "tracking.wandb.mode=disabled",
]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("uninterrupted")
    done = run_command(*COMMAND, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd


def folder_of(cwd):
    (folder,) = (cwd / "runs").iterdir()
    return folder


def wait_for_checkpoint(cwd, step, process):
    wait_for(lambda: list(cwd.glob(f"runs/*/checkpoints/{step}")), process)


def without_clock(records):
    clocks = ("seconds",)
    return [{name: value for name, value in record.items() if name not in clocks} for record in records]


@pytest.mark.thorough
def test_killed_and_typed_again_equals_never_killed(uninterrupted, tmp_path):
    for step in (20, 80):
        process = start(*COMMAND, cwd=tmp_path)
        wait_for_checkpoint(tmp_path, step, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (folder_of(tmp_path) / "DONE.json").exists()
    done = run_command(*COMMAND, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resuming at step" in done.stdout
    resumed, whole = gmdwgf.load_run(folder_of(tmp_path)), gmdwgf.load_run(folder_of(uninterrupted))
    assert same_bits(resumed.params, whole.params)
    assert without_clock(resumed.records) == without_clock(whole.records)
    np.testing.assert_array_equal(resumed.samples, whole.samples)


@pytest.mark.slow
def test_classes_features_averages_and_a_share_of_a_file_come_back_after_a_kill(tmp_path):
    rng, n = np.random.default_rng(0), 60_000
    labels = rng.integers(0, 10, n)
    latent_files.write(
        tmp_path / "latents.npy", (rng.normal(size=(n, 8)) + labels[:, None]).astype(np.float32), labels=labels
    )
    command = ["dataset=image_latents", f"dataset.path={tmp_path}/latents.npy", "dataset.max_resident=160000"]
    command += ["dataset.labels=true", "condition=classes", "condition.guidance=negatives", "drift=deng"]
    command += ["features=identity", "features.scale=running", "training.ema_decay=[0.9,0.99]"]
    command += ["training.refresh_every=7", "debug=tiny", "training.batch_size=60", "training.n_steps=60"]
    command += ["training.eval_every=20", "training.checkpoint_every=10", "tracking.wandb.mode=disabled"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for cwd in (whole, killed):
        cwd.mkdir()
    assert run_command(*command, cwd=whole).returncode == 0
    process = start(*command, cwd=killed)
    wait_for_checkpoint(killed, 30, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = run_command(*command, cwd=killed)
    assert done.returncode == 0, done.stderr
    assert "resuming at step" in done.stdout
    for decay in (0.9, 0.99):
        resumed, expected = (gmdwgf.load_run(folder_of(cwd), ema_decay=decay) for cwd in (killed, whole))
        assert same_bits(resumed.params, expected.params)
    assert without_clock(resumed.records) == without_clock(expected.records)


@pytest.mark.slow
def test_control_c_saves_and_says_how_to_go_on(uninterrupted, tmp_path):
    process = start(*COMMAND, cwd=tmp_path)
    wait_for_checkpoint(tmp_path, 20, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command resumes from there" in out
    assert "Traceback" not in err
    done = run_command(*COMMAND, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert same_bits(gmdwgf.load_run(folder_of(tmp_path)).params, gmdwgf.load_run(folder_of(uninterrupted)).params)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "damage",
    ["flipped bytes", *(pytest.param(name, marks=pytest.mark.slow) for name in ("truncated", "metadata gone"))],
)
def test_a_damaged_newest_checkpoint_falls_back_and_says_so(uninterrupted, tmp_path, damage):
    shutil.copytree(uninterrupted / "runs", tmp_path / "runs")
    folder = folder_of(tmp_path)
    (folder / "DONE.json").unlink()
    newest = folder / "checkpoints" / str(STEPS)
    if damage == "metadata gone":
        (newest / "state" / "_METADATA").unlink()
    else:
        largest = max((newest / "state").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
        content = bytearray(largest.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 40] = bytes(255 - byte for byte in content[middle : middle + 40])
        largest.write_bytes(content if damage == "flipped bytes" else content[:middle])
    done = run_command(*COMMAND, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"checkpoint {STEPS} is damaged" in done.stdout
    assert f"resuming at step {STEPS - 20}" in done.stdout
    assert same_bits(gmdwgf.load_run(folder).params, gmdwgf.load_run(folder_of(uninterrupted)).params)
    assert list((folder / "damaged").iterdir())


@pytest.mark.slow
def test_two_processes_cannot_write_one_run(tmp_path):
    process = start(*COMMAND, cwd=tmp_path)
    wait_for_checkpoint(tmp_path, 0, process)
    process.send_signal(signal.SIGSTOP)  # else it may have ended before the second one has begun
    second = run_command(*COMMAND, cwd=tmp_path)
    process.kill()
    process.communicate()
    assert second.returncode == 2
    assert "is being written by another process" in second.stderr


@pytest.mark.slow
def test_a_crash_keeps_its_traceback_and_is_retried(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted / "runs", tmp_path / "runs")
    folder = folder_of(tmp_path)
    (folder / "DONE.json").unlink()
    (folder / "metrics.jsonl").unlink()
    (folder / "metrics.jsonl").mkdir()  # a write that fails in the middle of a run
    failed = run_command(*COMMAND, cwd=tmp_path)
    assert failed.returncode == 1
    assert "FAILED.json" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    assert "Traceback" in (folder / "FAILED.json").read_text()
    (folder / "metrics.jsonl").rmdir()
    again = run_command(*COMMAND, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert not (folder / "FAILED.json").exists()
    assert (folder / "DONE.json").exists()


@pytest.mark.thorough
def test_samples_of_a_loaded_generator_are_those_of_the_run(uninterrupted):
    run = gmdwgf.load_run(folder_of(uninterrupted))
    assert run.sample(jax.random.key(0), 5).shape == (5, 2)
