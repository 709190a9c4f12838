"""What is kept of a run, what is best, and that nothing damaged is ever taken for whole."""

import gc
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
import pytest

import gmdwgf
from gmdwgf.engine.checkpoints import Checkpoints, digest, to_host
from gmdwgf.training.state import Health, TrainState
from tests.conftest import user_environment
from tests.launch.common import SMALL

NOTES = {"seconds": 12.5, "best": {"mmd2": 0.25, "step": 7}, "record": {"step": 7, "mmd2": 0.25, "w2": 1.051}}


def state_at(step):
    start, w = jnp.zeros((), int), jnp.arange(3.0)
    health = Health(jnp.zeros((), bool), start, start, jnp.zeros(()))
    return TrainState(jnp.asarray(step), jax.random.key(0), {"w": w + step}, {"w": w * step}, None, None, health)


def reopened(folder, writing=True):
    return Checkpoints(folder, print, writing=writing)


def save_each(folder, metrics):
    """Save a checkpoint for every step and metric, each by a manager of its own, as after a kill."""
    for step, metric in metrics.items():
        checkpoints = reopened(folder)
        checkpoints.save(state_at(step), metric, {})
        checkpoints.close()


def best_step(folder, writing=False):
    checkpoints = reopened(folder, writing)
    found = checkpoints.best(state_at(0))
    checkpoints.close()
    return int(found[0].step)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A folder with one checkpoint, at step 7."""
    folder = tmp_path_factory.mktemp("one") / "checkpoints"
    checkpoints = reopened(folder)
    checkpoints.save(state_at(7), 0.25, NOTES)
    checkpoints.close()
    return folder


def test_the_best_is_the_one_with_the_lowest_metric_also_after_reopening(tmp_path):
    checkpoints = reopened(tmp_path)
    checkpoints.save(state_at(1), 2.0, {})
    checkpoints.save(state_at(2), 3.0, {})
    assert int(checkpoints.best(state_at(0))[0].step) == 1
    checkpoints.close()
    assert best_step(tmp_path, writing=True) == 1
    assert best_step(tmp_path, writing=False) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("unscored", [float("nan"), float("inf"), -float("inf")])
def test_a_checkpoint_without_a_finite_metric_is_never_the_best(tmp_path, unscored):
    save_each(tmp_path, {1: unscored, 2: 5.0, 3: unscored})
    assert best_step(tmp_path) == 2
    shutil.rmtree(tmp_path / "2")
    assert best_step(tmp_path) == 3  # the latest, where none was scored
    checkpoints = reopened(tmp_path, writing=False)
    assert checkpoints.restore(3, state_at(0))[1]["metric"] is None
    checkpoints.close()


@pytest.mark.thorough
def test_after_any_number_of_reopenings_the_two_latest_and_the_best_are_kept(tmp_path):
    save_each(tmp_path, {0: 9.0, 10: 1.0, 20: 2.0, 30: float("nan"), 40: 4.0, 50: 3.0})
    assert reopened(tmp_path, writing=False).steps() == [10, 40, 50]
    save_each(tmp_path, {60: 0.5, 70: 0.6})
    assert reopened(tmp_path, writing=False).steps() == [60, 70]
    save_each(tmp_path, {80: 0.7, 90: float("inf")})
    assert reopened(tmp_path, writing=False).steps() == [60, 80, 90]


def test_a_save_at_a_step_that_exists_changes_nothing_but_removes_what_a_kill_left_over(tmp_path):
    save_each(tmp_path, {10: 1.0, 20: 2.0, 30: 3.0})
    before = (tmp_path / "30" / "notes" / "metadata").read_bytes()
    shutil.copytree(tmp_path / "20", tmp_path / "15")  # killed between a save and the removal of what it replaced
    save_each(tmp_path, {30: 0.0})
    assert reopened(tmp_path, writing=False).steps() == [10, 20, 30]
    assert (tmp_path / "30" / "notes" / "metadata").read_bytes() == before


def test_a_damaged_checkpoint_is_set_aside_and_the_promised_ones_are_kept_from_then_on(tmp_path):
    folder = tmp_path / "checkpoints"
    save_each(folder, {10: 1.0, 20: 2.0, 30: 3.0})
    flip(folder / "30" / "notes" / "metadata", 5)
    said = []
    checkpoints = Checkpoints(folder, said.append)
    assert int(checkpoints.latest(state_at(0))[0].step) == 20
    assert "checkpoint 30 is damaged" in said[0]
    checkpoints.save(state_at(30), 0.1, {})
    assert checkpoints.steps() == [20, 30]
    checkpoints.close()
    assert [path.name for path in (tmp_path / "damaged").iterdir()] == ["30-0"]
    assert best_step(folder) == 30


def test_a_best_one_that_is_damaged_gives_way_to_the_next_best(tmp_path):
    save_each(tmp_path, {10: 1.0, 20: 2.0, 30: 3.0})
    said = []
    largest(tmp_path / "10" / "state").write_bytes(b"")
    checkpoints = Checkpoints(tmp_path, said.append, writing=False)
    assert int(checkpoints.best(state_at(0))[0].step) == 20
    assert "step 10" in said[0]
    assert "taking the next best" in said[0]
    checkpoints.close()


def largest(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(path, at, bits=255):
    content = bytearray(path.read_bytes())
    content[at] ^= bits
    path.write_bytes(content)


def contents(restored):
    """Everything that a restored checkpoint is, in bytes."""
    arrays = [(str(leaf.dtype), leaf.shape, leaf.tobytes()) for leaf in jax.tree.leaves(to_host(restored[0]))]
    return arrays, json.dumps(restored[1])


def what_comes_back(folder):
    checkpoints = reopened(folder, writing=False)
    try:
        return contents(checkpoints.restore(7, state_at(0)))
    except Exception:
        return None
    finally:
        checkpoints.close()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("seed", "n"), [(0, 40), *(pytest.param(seed, 400, marks=pytest.mark.slow) for seed in range(1, 4))]
)
def test_a_flipped_byte_anywhere_gives_the_same_or_an_error(one, tmp_path, seed, n, caplog):
    rng, whole = random.Random(seed), what_comes_back(one)
    assert whole is not None
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    spots = [(path, at) for path in files for at in range((one / path).stat().st_size)]
    shutil.copytree(one, tmp_path / "c")
    n_caught = 0
    for path, at in rng.sample(spots, n):
        bits = rng.randrange(1, 256)
        flip(tmp_path / "c" / path, at, bits)
        found = what_comes_back(tmp_path / "c")
        assert found in (None, whole), (path, at, bits)
        n_caught += found is None
        flip(tmp_path / "c" / path, at, bits)
    gc.collect()
    assert n_caught > n // 4
    assert not caplog.records


def test_a_changed_number_in_the_notes_is_noticed(one, tmp_path):
    shutil.copytree(one, tmp_path / "c")
    path = tmp_path / "c" / "7" / "notes" / "metadata"
    for old, new in [("1.051", "1.041"), ('"metric": 0.25', '"metric": 0.05'), ('"step": 7,', '"step": 6,')]:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        assert what_comes_back(tmp_path / "c") is None, new
        path.write_text(text)
    assert what_comes_back(tmp_path / "c") is not None


def test_a_metric_that_was_tampered_with_does_not_rank(tmp_path):
    save_each(tmp_path, {1: 2.0, 2: 3.0})
    path = tmp_path / "2" / "notes" / "metadata"
    path.write_text(path.read_text().replace('"metric": 3.0', '"metric": 1.0'))
    assert best_step(tmp_path) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("damage", ["empty", "half", "gone"])
@pytest.mark.parametrize("which", ["_CHECKPOINT_METADATA", "notes/metadata", "state/_METADATA", "state/manifest.ocdbt"])
def test_a_checkpoint_with_a_damaged_file_is_whole_or_falls_back(tmp_path, which, damage):
    folder = tmp_path / "checkpoints"
    save_each(folder, {1: 1.0, 2: 2.0})
    path = folder / "2" / which
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 if damage == "half" else 0])
    checkpoints = reopened(folder)
    found = checkpoints.latest(state_at(0))
    checkpoints.save(state_at(3), 3.0, {})
    checkpoints.close()
    assert contents(found)[0] in [contents((state_at(step), 0))[0] for step in (1, 2)]
    assert int(found[0].step) == (2 if which == "_CHECKPOINT_METADATA" else 1)


def test_checkpoints_of_format_1_are_read_and_ranked_by_their_own_records(tmp_path):
    checkpoints = reopened(tmp_path)
    records = {1: {"step": 1, "mmd2": 2.0}, 2: {"step": 2, "mmd2": 3.0}, 3: {"step": 2, "mmd2": 0.5}}
    for step, record in records.items():
        plain = to_host(state_at(step))
        notes = {"format": 1, "digest": digest(plain), "seconds": 1.0, "record": record}
        items = ocp.args.Composite(state=ocp.args.StandardSave(plain), notes=ocp.args.JsonSave(notes))
        checkpoints.manager.save(step, args=items)
    checkpoints.close()
    assert best_step(tmp_path) == 1  # the record of 3 is of another step
    checkpoints = reopened(tmp_path)
    plain, notes = checkpoints.latest(state_at(0))
    assert (int(plain.step), notes["record"]["mmd2"]) == (3, 0.5)
    checkpoints.save(state_at(4), 1.5, {})
    assert checkpoints.steps() == [3, 4]
    checkpoints.close()


def test_a_format_that_is_not_known_is_not_taken_for_whole(tmp_path):
    save_each(tmp_path, {1: 1.0})
    path = tmp_path / "1" / "notes" / "metadata"
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    checkpoints = reopened(tmp_path, writing=False)
    with pytest.raises(ValueError, match="another version of gmdwgf"):
        checkpoints.restore(1, state_at(0))
    checkpoints.close()


@pytest.mark.slow
def test_a_checkpoint_is_ranked_only_by_a_score_of_its_own_parameters(cli, tmp_path):
    words = ["+drift=kl", *SMALL, "training.n_steps=9", "training.eval_every=4", "training.checkpoint_every=3"]
    code, out, err = cli(*words)
    assert code == 0, out + err
    (folder,) = (tmp_path / "runs").iterdir()
    notes = {int(path.parts[-3]): json.loads(path.read_text()) for path in folder.glob("checkpoints/*/notes/metadata")}
    scores = {record["step"]: record["mmd2"] for record in gmdwgf.load_run(folder).records}
    best = min((0, 9), key=lambda step: scores[step])  # 4 and 8 have no checkpoint, 3 and 6 no score
    assert sorted(notes) == sorted({6, 9, best})
    assert {step: kept["metric"] for step, kept in notes.items()} == {step: scores.get(step) for step in notes}
    assert notes[6]["record"]["step"] == 4
    assert (gmdwgf.load_run(folder, which="best").step, gmdwgf.load_run(folder).step) == (best, 9)


KILLED = """
import sys
from pathlib import Path
from gmdwgf.engine.checkpoints import Checkpoints
from tests.engine.test_checkpoints import state_at
checkpoints = Checkpoints(Path(sys.argv[1]), print)
found = checkpoints.latest(state_at(0))
step = 0 if found is None else int(found[0].step)
while True:
    step += 1
    checkpoints.save(state_at(step), 1 / step if step < 20 else 1.0, {})
    print(step, flush=True)
"""


@pytest.mark.slow
def test_any_number_of_kills_leaves_the_two_latest_and_the_best(tmp_path):
    rng, folder = random.Random(0), tmp_path / "checkpoints"
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, folder],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=user_environment(tmp_path),
        )
        for _ in range(rng.randrange(1, 9)):
            process.stdout.readline()
        process.kill()
        process.communicate()
        checkpoints = reopened(folder)
        latest = int(checkpoints.latest(state_at(0))[0].step)
        checkpoints.save(state_at(latest + 1), 1.0, {})
        assert checkpoints.steps() == sorted({min(19, latest + 1), latest, latest + 1})
        assert not (tmp_path / "damaged").exists()
        checkpoints.close()


FULL = """
import sys
from pathlib import Path
import jax
from gmdwgf.engine.checkpoints import Checkpoints
from tests.engine.test_checkpoints import state_at
checkpoints = Checkpoints(Path(sys.argv[1]), print)
for step in range(1, 6):
    state = state_at(step)
    params = {str(n): jax.random.normal(jax.random.key(n), (20_000,)) for n in range(20)}
    try:
        checkpoints.save(type(state)(**{**vars(state), "params": params}), 1.0, {})
    except Exception as error:
        print("No space left" in str(error), flush=True)
checkpoints.close()
"""


@pytest.fixture
def full_disk(tmp_path):
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"only root can mount a small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.slow
def test_a_full_disk_raises_once_and_prints_nothing(full_disk):
    done = subprocess.run(
        [sys.executable, "-c", FULL, full_disk / "checkpoints"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=user_environment(full_disk.parent),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"] * 5
    assert done.stderr == ""


def test_only_the_late_errors_of_arrays_are_silenced():
    code = (
        "import logging\n"
        "from gmdwgf.engine.late_errors import silence_late_errors\n"
        "silence_late_errors(); silence_late_errors()\n"
        "class Ours:\n"
        "    def __init__(self, error): self.error = error\n"
        "    def __del__(self): raise self.error\n"
        "Ours(ValueError('first')); Ours(RuntimeError('Event loop is closed'))\n"
        "log = logging.getLogger('asyncio')\n"
        "forgotten = 'Task exception was never retrieved'\n"
        "log.error(forgotten, exc_info=ValueError('second'))\n"
        "log.error('third', exc_info=ValueError('in OCDBT database'))\n"
        "log.error(forgotten, exc_info=ValueError('fourth, in OCDBT database'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    for told in ("ValueError: first", "RuntimeError: Event loop is closed", "ValueError: second", "third"):
        assert told in done.stderr
    assert "fourth" not in done.stderr
