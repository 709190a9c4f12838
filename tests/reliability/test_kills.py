"""Forty times kill -9 at random moments: every run ends with the bits of the one that was never killed."""

import numpy as np
import pytest

from gmdwgf.data import latent_files
from tests.launch.common import SMALL, differences, states
from tests.processes import start, start_several, wait_for

pytestmark = pytest.mark.slow

LONG = [
    *SMALL,
    "training.n_steps=400",
    "training.eval_every=40",
    "training.checkpoint_every=8",
    "training.chunk_size=100",
]
STREAMED = ["+drift=deng", "dataset=image_latents", "dataset.max_resident=160000"]
STREAMED += ["dataset.labels=true", "condition=classes", "training.refresh_every=7", "training.ema_decay=[0.9,0.99]"]
STREAMED += ["training.batch_size=60"]
FOUR = ["-m", "+drift=kl", "drift.bandwidth=0.3,0.5", "seed=0,1", "hydra/launcher=vectorized"]

KINDS = {
    "kl": (["+drift=kl"], 1, 10),
    "critic": (["+drift=critic"], 1, 8),
    "image_latents": (STREAMED, 1, 8),
    "one_by_one": ([*FOUR, "hydra.launcher.how=one_by_one"], 1, 4),
    "together": ([*FOUR, "hydra.launcher.how=together"], 1, 4),
    "two_processes": (["+drift=kl"], 2, 6),
}
"""What is run, by how many processes, and how often it is killed: forty times in all."""


def test_there_are_forty_kills():
    assert sum(n_kills for *_, n_kills in KINDS.values()) == 40


def begin(command, n_processes, cwd):
    """The processes of a run; the first is the one that writes."""
    words = [*command, *order(command)]
    return [start(*words, cwd=cwd)] if n_processes == 1 else start_several(n_processes, *words, cwd=cwd)


def order(command):
    """The settings that are not in the command itself."""
    given = {word.split("=")[0] for word in command}
    return [word for word in LONG if word.split("=")[0] not in given]


def finish(processes):
    ends = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ends


def what_is_there(root):
    """Everything in the folders of the runs that a run under way adds to, with the sizes of its records."""
    found = {path for path in root.glob("*/checkpoints/*")}
    return found | {(path, path.stat().st_size) for path in root.glob("*/metrics.jsonl")}


def kill_at_random(processes, root, rng):
    """SIGKILL, some looks after the run was taken up or after a record or a checkpoint was begun."""
    writer = processes[0]
    shuffled = [processes[index] for index in rng.permutation(len(processes))]
    try:
        wait_for(lambda: any(str(writer.pid) in path.read_text() for path in root.glob("*/run.lock")), writer)
        if rng.random() < 0.75:  # else while it is restored, compiled or at its first steps
            for _ in range(rng.integers(1, 4)):
                before = what_is_there(root)
                wait_for(lambda before=before: what_is_there(root) - before, writer, pause=0.001)
        looks = iter(range(rng.integers(0, 60)))
        wait_for(lambda: next(looks, None) is None, writer, pause=0.001)
    finally:
        for process in shuffled:
            process.kill()
            process.communicate()
    ends = [process.returncode for process in shuffled]
    assert ends[0] == -9, ends
    assert 0 not in ends  # the other one may have noticed that it was left alone before it was killed


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    """A folder with a file of labelled points, larger than what is kept of it."""
    home, rng, n = tmp_path_factory.mktemp("reliability"), np.random.default_rng(0), 60_000
    labels = rng.integers(0, 10, n)
    points = (rng.normal(size=(n, 8)) + labels[:, None]).astype(np.float32)
    latent_files.write(home / "latents.npy", points, labels=labels)
    return home


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments_equals_never_killed(kind, latents):
    command, n_processes, n_kills = KINDS[kind]
    rng = np.random.default_rng(list(KINDS).index(kind))
    command = [*command, *([f"dataset.path={latents}/latents.npy"] if kind == "image_latents" else [])]
    whole, killed = latents / f"{kind}-whole", latents / f"{kind}-killed"
    for cwd in (whole, killed):
        cwd.mkdir()
    finish(begin(command, n_processes, whole))
    for _ in range(n_kills):
        kill_at_random(begin(command, n_processes, killed), killed / "runs", rng)
        assert "done" not in states(killed / "runs").values()
    finish(begin(command, n_processes, killed))
    assert set(states(killed / "runs").values()) == {"done"}
    assert differences(killed / "runs", whole / "runs") == []
