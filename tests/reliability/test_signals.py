"""Signals as clusters and terminals send them, to real processes in the middle of long chunks."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT, gmdwgf, user_environment
from tests.launch.common import SMALL, states
from tests.processes import start, start_several, wait_for

pytestmark = pytest.mark.slow

NEVER = 10**6
LONG_STEPS = ["+drift=kl", *SMALL[:1], "training.batch_size=1000", "generator.width=8", "tracking.wandb.mode=disabled"]
ENDLESS = [f"training.{name}={NEVER}" for name in ("n_steps", "eval_every", "checkpoint_every", "chunk_size")]
ENDLESS = [*LONG_STEPS, *ENDLESS]
"""A run that looks at nothing and saves nothing for days, in one chunk if nothing cut it."""


def wait_for_training(cwd, process):
    """Until the start has been looked at and saved, after which steps are taken."""
    wait_for(lambda: list(cwd.glob("runs/*/checkpoints/0/*")), process)


def saved_steps(cwd):
    return sorted(int(path.name) for path in cwd.glob("runs/*/checkpoints/*") if path.name.isdecimal())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGHUP"])
def test_a_signal_in_a_chunk_of_days_saves_and_ends_in_one_line(name, tmp_path):
    process = start(*ENDLESS, cwd=tmp_path)
    wait_for_training(tmp_path, process)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "")
    (line,) = (line for line in out.splitlines() if "stopped" in line)
    step = int(re.search(rf"stopped at step (\d+) by {name}, checkpoint saved", line)[1])
    assert saved_steps(tmp_path)[-1] == step < NEVER


def test_a_signal_while_a_run_starts_up_is_one_line(tmp_path):
    process = start(*ENDLESS, cwd=tmp_path)
    wait_for(lambda: any(path.read_text() for path in tmp_path.glob("runs/*/run.lock")), process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert len([line for line in (out + err).splitlines() if "stopped" in line]) == 1, out + err
    assert "Traceback" not in out + err


def test_a_closed_terminal_saves_the_run(tmp_path):
    leader, follower = pty.openpty()
    becomes = f"import os, sys; os.login_tty({follower}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = [sys.executable, "-c", becomes, "-m", "gmdwgf.train", *ENDLESS]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=user_environment(tmp_path),
        pass_fds=[follower],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    wait_for_training(tmp_path, process)
    os.close(leader)
    assert process.wait(timeout=300) == 130
    assert saved_steps(tmp_path)[-1] > 0
    assert "Traceback" not in "".join(path.read_text() for path in tmp_path.glob("runs/*/train.log"))


def test_a_folder_that_is_removed_under_way_is_one_line(tmp_path):
    process = start(*ENDLESS, cwd=tmp_path)
    wait_for_training(tmp_path, process)
    (folder,) = (tmp_path / "runs").iterdir()
    shutil.rmtree(folder, ignore_errors=True)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err == f"gmdwgf: {folder} was deleted or moved during the run; the same command starts it again\n"


def test_what_one_of_two_processes_is_told_both_do(tmp_path):
    first, second = start_several(2, *ENDLESS, cwd=tmp_path, timeout=60)
    wait_for_training(tmp_path, first)
    second.send_signal(signal.SIGUSR2)
    (out, err), (_, other) = (process.communicate(timeout=300) for process in (first, second))
    assert (first.returncode, second.returncode) == (130, 130), err + other
    step = int(re.search(r"stopped at step (\d+) by SIGUSR2", out)[1])
    assert saved_steps(tmp_path)[-1] == step < NEVER


def test_submitit_queues_a_job_again_that_was_told_to_save(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    sweep = ["-m", *LONG_STEPS, "seed=0,1", "training.n_steps=300", "training.eval_every=300"]
    sweep += ["training.chunk_size=300", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"]
    process = start(*sweep, cwd=tmp_path)
    wait_for(lambda: list(tmp_path.glob("runs/*/checkpoints/0/*")), process)
    checkpoint = next(tmp_path.glob("runs/*/checkpoints/0"))
    folder = checkpoint.parents[1]
    os.kill(json.loads((folder / "run.lock").read_text())["pid"], signal.SIGUSR2)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    assert "2 jobs: 2 done" in out
    assert set(states(tmp_path / "runs").values()) == {"done"}
    assert re.search(r"resuming at step [1-9]\d* of 300", (folder / "train.log").read_text())


def test_a_shell_that_has_the_signal_of_slurm_hands_it_on(tmp_path):
    """`sbatch --signal=B:USR1@120` tells the shell of the batch script alone."""
    script = tmp_path / "job.sh"
    lines = re.search(r"```bash\n(#!/usr/bin/env bash.*?)```", (ROOT / "docs/sweeps.md").read_text(), re.S)[1]
    script.write_text(lines.replace("scontrol requeue", "echo requeue"))
    environment = user_environment(tmp_path) | {"PYTHON": sys.executable, "SLURM_JOB_ID": "17"}
    shell = subprocess.Popen(
        ["bash", script, *ENDLESS],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_training(tmp_path, shell)
    shell.send_signal(signal.SIGUSR1)
    out, err = shell.communicate(timeout=300)
    assert (shell.returncode, err) == (130, "")
    assert "by SIGUSR1, checkpoint saved" in out
    assert out.endswith("requeue 17\n")


def test_output_that_nobody_reads_any_more_does_not_end_a_run(tmp_path):
    process = start("+drift=kl", *SMALL, cwd=tmp_path)
    process.stdout.close()
    assert process.wait(timeout=300) == 0
    with process.stderr as said:
        assert said.read() == ""
    assert "already done" in gmdwgf("+drift=kl", *SMALL, cwd=tmp_path).stdout
