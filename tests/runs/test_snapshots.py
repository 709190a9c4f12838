import numpy as np
import pytest

from gmdwgf.files import DamagedFile
from gmdwgf.runs.snapshots import Snapshots, read


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    snapshots = Snapshots(tmp_path / "samples.npz", rng.normal(size=(3, 2)).astype(np.float32))
    for step in (0, 10, 20):
        snapshots.add(step, rng.normal(size=(4, 2)).astype(np.float32))
    return tmp_path / "samples.npz"


def test_samples_come_back_as_they_were_kept_up_to_a_step(path):
    again = Snapshots(path, read(path)["y"])
    again.load(up_to=10)
    assert list(again.taken) == [0, 10]
    np.testing.assert_array_equal(again.taken[10], read(path)["x"][1])


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(path):
    whole, content = read(path), path.read_bytes()
    n_noticed = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            found = read(path)
        except DamagedFile:
            n_noticed += 1
            continue
        for name, array in whole.items():
            np.testing.assert_array_equal(found[name], array)
    assert n_noticed > len(content) // 2


def test_a_bit_of_a_header_that_makes_an_array_shorter_is_noticed(path):
    content = path.read_bytes()
    shorter = content.replace(
        b"'shape': (3, 2)", b"'shape': (2, 2)"
    )  # one bit; numpy would not read to the end of its bytes
    assert sum(a != b for a, b in zip(content, shorter, strict=True)) == 1
    path.write_bytes(shorter)
    with pytest.raises(DamagedFile, match=r"samples\.npz.*sum of y\.npy"):
        read(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DamagedFile, match=r"samples\.npz"):
        Snapshots(path, np.zeros((3, 2))).load(up_to=10)


WRONG = {
    "another rank": {"x": np.zeros((3, 4))},
    "fewer steps": {"steps": np.arange(2)},
    "steps that fall": {"steps": np.array([0, 20, 10])},
    "steps that are no numbers": {"steps": np.array(["0", "10", "20"])},
    "another dimension": {"y": np.zeros((3, 5))},
    "no points": {"x": np.zeros((3, 0, 2))},
    "words": {"x": np.full((3, 4, 2), "a")},
    "objects": {"x": np.array([[[None]]], dtype=object)},
    "targets that are not finite": {"y": np.full((3, 2), np.nan)},
}


@pytest.mark.parametrize("case", WRONG)
def test_arrays_that_are_not_those_of_a_run_are_refused(path, case):
    np.savez(path, **(read(path) | WRONG[case]))
    with pytest.raises(DamagedFile, match=r"samples\.npz"):
        read(path)


def test_a_file_without_one_of_its_arrays_is_refused(path):
    np.savez(path, x=np.zeros((3, 4, 2)))
    with pytest.raises(DamagedFile):
        read(path)
