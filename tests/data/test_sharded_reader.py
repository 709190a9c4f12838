"""The feed of a file larger than memory: every row once an epoch, shards, and resuming anywhere."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gmdwgf.data import sharded_reader as feed_module
from gmdwgf.data.sharded_reader import ShardedReader
from tests.conftest import ROOT

N = 103


@pytest.fixture
def file(tmp_path, monkeypatch):
    """103 rows in blocks of 4, of which 16 are mixed; the first number of a row is its index."""
    rows = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)
    rows[:, 0] = np.arange(N)
    np.save(tmp_path / "latents.npy", rows)
    np.save(tmp_path / "latents.labels.npy", np.arange(N) % 7)
    (tmp_path / "latents.json").write_text('{"labels": "latents.labels.npy"}')
    monkeypatch.setattr(feed_module, "_BLOCK_BYTES", 4 * 8 * 4)
    monkeypatch.setattr(feed_module, "_BLOCKS_MIXED", 5)
    return str(tmp_path / "latents.npy")


def indices(rows):
    return rows[:, 0].astype(int)


def test_every_row_comes_once_an_epoch_in_another_order_each_time(file):
    feed = ShardedReader(file, seed=0)
    epochs = [indices(feed.next(N)) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(N))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], np.arange(N))
    assert not np.array_equal(epochs[0], indices(ShardedReader(file, seed=1).next(N)))


def test_rows_do_not_depend_on_how_many_are_asked_for_at_once(file):
    whole, pieces = ShardedReader(file, seed=3), ShardedReader(file, seed=3)
    expected = whole.next(250)
    np.testing.assert_array_equal(np.concatenate([pieces.next(n) for n in (1, 60, 100, 7, 82)]), expected)


def test_labels_belong_to_their_rows(file):
    rows, labels = ShardedReader(file, seed=0).next_labelled(150)
    np.testing.assert_array_equal(labels, indices(rows) % 7)


@pytest.mark.parametrize("n_before", [0, 1, 20, 103, 150])
def test_a_feed_goes_on_from_its_state_as_if_it_had_never_stopped(file, n_before):
    feed = ShardedReader(file, seed=5, shard=1, n_shards=2)
    feed.next(n_before) if n_before else None
    state = feed.state()
    assert all(type(number) is int for number in state.values())
    expected = feed.next(120)
    resumed = ShardedReader(file, seed=5, shard=1, n_shards=2)
    resumed.restore(state)
    np.testing.assert_array_equal(resumed.next(120), expected)


def test_shards_share_an_epoch_without_overlap(file):
    shards = [ShardedReader(file, seed=2, shard=k, n_shards=3) for k in range(3)]
    seen = []
    for shard in shards:
        while shard.epoch == 0:
            seen.append(indices(shard.next(1))[0])
        seen.pop()  # of the next epoch
    assert sorted(seen) == list(range(N))


def test_held_out_rows_never_come_and_do_not_depend_on_the_seed_or_shard(file):
    feed = ShardedReader(file, seed=0, held_out_fraction=0.2)
    held = set(indices(feed.held_out(N)[0]))
    assert 0.15 * N < len(held) < 0.3 * N
    other = ShardedReader(file, seed=1, shard=1, n_shards=2, held_out_fraction=0.2)
    assert set(indices(other.held_out(N)[0])) == held
    assert not held & set(indices(feed.next(3 * N)))
    assert not held & set(indices(other.next(3 * N)))


def test_neighbours_in_the_file_are_seldom_neighbours_in_the_feed(file):
    epoch = indices(ShardedReader(file, seed=0).next(N))
    assert np.mean(np.diff(epoch) == 1) < 0.1


def test_a_shard_that_is_not_there_is_refused(file):
    with pytest.raises(ValueError, match="shard 2 of 2"):
        ShardedReader(file, seed=0, shard=2, n_shards=2)


WALK = """
import re, sys
from pathlib import Path
import jax, numpy as np
from gmdwgf.targets.latents import ImageLatents

def peak():  # kB; getrusage would count the memory of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

target = ImageLatents(sys.argv[1], labels=False, posterior=True, scale=0.18215, held_out_fraction=0.01, split_seed=0,
                      moments=-1, max_resident=32e6)
feed, draw, n_kept = target.reader(), jax.jit(lambda target, key: target.sample(key, 32)), len(target.train)
before, n_read = peak(), 0
while feed.epoch == 0:
    target = target.refreshed(feed.next(n_kept), None)
    n_read += n_kept
    assert np.isfinite(draw(target, jax.random.key(n_read))).all()
print(before, peak(), n_read, draw._cache_size())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from Linux's /proc")
def test_a_file_of_2_gb_is_read_whole_in_a_few_hundred_mb_of_memory(tmp_path):
    n, shape = 125_000, (32, 32, 8)
    rows = np.lib.format.open_memmap(tmp_path / "sd.npy", mode="w+", dtype=np.float16, shape=(n, *shape))
    rng = np.random.default_rng(0)
    for start in range(0, n, 5000):
        rows[start : start + 5000] = rng.normal(size=(1, *shape)).astype(np.float16)
        rows[start : start + 5000, 0, 0, 0] = rng.normal(size=5000)
    rows.flush()
    del rows
    size = (tmp_path / "sd.npy").stat().st_size
    assert size > 2e9
    done = subprocess.run([sys.executable, "-c", WALK, tmp_path / "sd.npy"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    before, peak, n_read, n_programs = map(int, done.stdout.split())
    assert n_read > 0.98 * n
    assert n_programs == 1
    assert 1024 * peak < size / 3, f"{peak / 1024:.0f} MB at the peak, {before / 1024:.0f} MB before"
