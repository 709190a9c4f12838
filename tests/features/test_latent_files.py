"""Latent files: what is written is read, SD-VAE's moments, and every way a file can be wrong."""

import numpy as np
import pytest

from gmdwgf.features import latent_files
from gmdwgf.hyperparameters import FieldError

RNG = np.random.default_rng(0)
MEAN, LOG_VAR = RNG.normal(size=(20, 4, 4, 2)).astype(np.float32), RNG.normal(size=(20, 4, 4, 2)).astype(np.float32)
LABELS = np.arange(20) % 3


@pytest.mark.parametrize("name", ["latents.npz", "latents.npy"])
@pytest.mark.parametrize("log_var", [None, LOG_VAR])
@pytest.mark.parametrize("labels", [None, LABELS])
def test_what_is_written_is_read(tmp_path, name, log_var, labels):
    latent_files.write(tmp_path / name, MEAN, log_var, labels, encoder="digits", sha256="abc")
    file = latent_files.read(tmp_path / name)
    mean, read_log_var = file.points(slice(None))
    np.testing.assert_array_equal(mean, MEAN)
    assert (read_log_var is None) == (log_var is None)
    if log_var is not None:
        np.testing.assert_array_equal(read_log_var, log_var)
    assert (file.encoder, file.sha256, file.shape) == ("digits", "abc", (4, 4, 2))
    assert file.labels is None if labels is None else np.array_equal(file.labels, labels)


@pytest.mark.parametrize("axis", [-1, 1])
def test_moments_of_either_layout_are_split_with_the_channels_last(tmp_path, axis):
    both = np.concatenate([MEAN, LOG_VAR], axis=-1)
    np.save(tmp_path / "sd.npy", np.moveaxis(both, -1, axis).astype(np.float16))
    file = latent_files.read(tmp_path / "sd.npy", moments=axis)
    mean, log_var = file.points([3, 1])
    np.testing.assert_array_equal(mean, MEAN[[3, 1]].astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(log_var, LOG_VAR[[3, 1]].astype(np.float16).astype(np.float32))
    assert file.shape == (4, 4, 2)
    assert isinstance(file.rows, np.memmap)


def test_log_variances_are_cut_where_their_exponentials_would_overflow():
    _, log_var = latent_files.split_moments(np.array([[1.0, 500.0], [2.0, -500.0]]), None, -1)
    np.testing.assert_array_equal(log_var[:, 0], [20.0, -30.0])


WRONG = {
    "missing": ("a.npy", lambda path: None, None, "path", "is not a file"),
    "other_kind": ("a.csv", lambda path: path.write_text("1,2"), None, "path", ".npy or .npz"),
    "damaged": ("a.npy", lambda path: path.write_bytes(b"\x93NUMPY damaged"), None, "path", "perhaps damaged"),
    "no_mean": ("a.npz", lambda path: np.savez(path, latents=MEAN), None, "path", "has no array 'mean', only latents"),
    "one_axis": ("a.npy", lambda path: np.save(path, np.ones(7)), None, "path", "has latents of shape [7]"),
    "words": ("a.npy", lambda path: np.save(path, np.array([["a"], ["b"]])), None, "path", "not real numbers"),
    "odd_moments": ("a.npy", lambda path: np.save(path, np.ones((5, 3))), -1, "moments", "of even length"),
    "no_such_axis": ("a.npy", lambda path: np.save(path, np.ones((5, 4))), 2, "moments", "must be an axis of [5, 4]"),
    "first_axis": ("a.npy", lambda path: np.save(path, np.ones((4, 4))), 0, "moments", "after the first"),
    "labels": ("a.npz", lambda path: np.savez(path, mean=MEAN, labels=LABELS[:7]), None, "path", "labels of shape [7]"),
    "logvar": (
        "a.npz",
        lambda path: np.savez(path, mean=MEAN, logvar=LABELS),
        None,
        "path",
        "log variances of shape [20]",
    ),
    "no_labels_file": (
        "a.npy",
        lambda path: (np.save(path, np.ones((5, 4))), path.with_suffix(".json").write_text('{"labels": "b.npy"}')),
        None,
        "path",
        "cannot be read",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_cannot_be_used_is_refused_by_field_and_fix(tmp_path, case):
    name, write, moments, field, fix = WRONG[case]
    write(tmp_path / name)
    with pytest.raises(FieldError) as refused:
        latent_files.read(tmp_path / name, moments)
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert "\n" not in str(refused.value)
