"""Latent files: what is written is read, SD-VAE's moments, and every way a file can be wrong."""

import contextlib
import os
import re
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.data import latent_files
from gmdwgf.targets.arrays import ArrayTarget

RNG = np.random.default_rng(0)
MEAN, LOG_VAR = RNG.normal(size=(20, 4, 4, 2)).astype(np.float32), RNG.normal(size=(20, 4, 4, 2)).astype(np.float32)
LABELS = np.arange(20) % 3


@pytest.mark.parametrize("name", ["latents.npz", "latents.npy"])
@pytest.mark.parametrize("log_var", [None, LOG_VAR])
@pytest.mark.parametrize("labels", [None, LABELS])
def test_what_is_written_is_read(tmp_path, name, log_var, labels):
    latent_files.write(tmp_path / name, MEAN, log_var, labels, encoder="digits", sha256="abc")
    file = latent_files.read_latents(tmp_path / name)
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
    file = latent_files.read_latents(tmp_path / "sd.npy", moments=axis)
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
        latent_files.read_latents(tmp_path / name, moments)
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert "\n" not in str(refused.value)


HELD_OUT = np.arange(20) % 4 == 0


def npz(**arrays):
    return lambda path: np.savez(path, **({"mean": MEAN} | arrays))


def beside(notes, array=MEAN):
    return lambda path: (np.save(path, array), path.with_suffix(".json").write_text(notes))


def text_inside(name):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "not an array")

    return write


def cut_short(write, n_bytes=300):
    return lambda path: (write(path), path.write_bytes(path.read_bytes()[:n_bytes]))


# File, how it is written, moments, field that is named, what the fix says.
BADLY_WRITTEN = {
    "text_in_npz": ("a.npz", text_inside("notes.txt"), None, "path", "has no array 'mean', only notes.txt"),
    "text_for_mean": ("a.npz", text_inside("mean"), None, "path", "a file named 'mean' that is no array"),
    "text_as_npz": ("a.npz", lambda path: path.write_text("1,2\n"), None, "path", "cannot be read: numpy.save or"),
    "text_as_npy": ("a.npy", lambda path: path.write_text("1,2\n"), None, "path", "cannot be read"),
    "empty_npz": ("a.npz", lambda path: path.write_bytes(b""), None, "path", "it is empty or cut short"),
    "empty_npy": ("a.npy", lambda path: path.write_bytes(b""), None, "path", "cannot be read"),
    "cut_npz": ("a.npz", cut_short(npz()), None, "path", "cannot be read"),
    "cut_npy": ("a.npy", cut_short(lambda path: np.save(path, MEAN)), None, "path", "cannot be read"),
    "npy_as_npz": (
        "a.npz",
        lambda path: (np.save(path.with_suffix(".npy"), MEAN), path.with_suffix(".npy").rename(path)),
        None,
        "path",
        "rename it to end in .npy",
    ),
    "npz_as_npy": (
        "a.npy",
        lambda path: (npz()(path.with_suffix(".npz")), path.with_suffix(".npz").rename(path)),
        None,
        "path",
        "rename it to end in .npz",
    ),
    "objects": ("a.npz", npz(mean=np.array([[1, None], [2, 3]], object)), None, "path", "'mean': holds Python objects"),
    "label_objects": (
        "a.npz",
        npz(labels=np.array([None] * 20, object)),
        None,
        "path",
        "'labels': holds Python objects",
    ),
    "object_npy": ("a.npy", lambda path: np.save(path, np.array([[1, None]], object)), None, "path", "Python objects"),
    "complex": ("a.npz", npz(mean=MEAN * 1j), None, "path", "holds complex"),
    "truth_values": ("a.npz", npz(mean=MEAN > 0), None, "path", "holds bool"),
    "words_for_logvar": ("a.npz", npz(logvar=MEAN.astype(str)), None, "path", "in 'logvar', not real numbers"),
    "one_row": ("a.npz", npz(mean=MEAN[:1]), None, "path", "at least 2 rows"),
    "no_numbers": ("a.npz", npz(mean=np.ones((5, 0))), None, "path", "has latents of shape [5, 0]"),
    "moments_of_npz": ("a.npz", npz(logvar=LOG_VAR), -1, "moments", "in an array 'logvar' or none: leave it null"),
    "moments_against_json": ("a.npy", beside('{"moments": 1}'), -1, "moments", "is 1 according to"),
    "moments_against_none": ("a.npy", beside('{"moments": null}'), -1, "moments", "is null according to"),
    "moments_true": ("a.npy", beside('{"moments": true}'), None, "path", "a.json beside it has moments true"),
    "moments_words": ("a.npy", beside('{"moments": "last"}'), None, "path", 'a.json beside it has moments "last"'),
    "json_cut": ("a.npy", beside('{"moments": -1,'), None, "path", "a.json beside it cannot be read"),
    "json_list": ("a.npy", beside("[1]"), None, "path", "a.json beside it is no object"),
    "json_deep": ("a.npy", beside("[" * 100_000), None, "path", "a.json beside it cannot be read"),
    "json_label_list": ("a.npy", beside('{"labels": [0, 1]}'), None, "path", "has labels [0, 1]; must be the name"),
    "json_label_folder": ("a.npy", beside('{"labels": "../b.npy"}'), None, "path", 'has labels "../b.npy"'),
    "json_held_out": ("a.npy", beside('{"held_out": [0]}'), None, "path", "only an .npz file can have"),
    "held_out_all": (
        "a.npz",
        npz(held_out=np.ones(20, bool)),
        None,
        "path",
        "true in all rows, and none left to train on",
    ),
    "held_out_none": (
        "a.npz",
        npz(held_out=np.zeros(20, bool)),
        None,
        "path",
        "false in all rows, and none left to score",
    ),
    "held_out_words": ("a.npz", npz(held_out=np.array(["no"] * 20)), None, "path", "held_out of type <U2"),
    "held_out_shares": ("a.npz", npz(held_out=np.full(20, 0.2)), None, "path", "held_out of type float64"),
    "held_out_2": ("a.npz", npz(held_out=np.arange(20) % 3), None, "path", "held_out 2 in row 2; save true or false"),
    "held_out_short": ("a.npz", npz(held_out=HELD_OUT[:7]), None, "path", "held_out of shape [7], not [20]"),
}


@pytest.mark.parametrize("case", BADLY_WRITTEN)
def test_a_badly_written_file_is_refused_by_name_field_and_fix(tmp_path, case):
    name, write, moments, field, fix = BADLY_WRITTEN[case]
    write(tmp_path / name)
    with pytest.raises(FieldError) as refused:
        latent_files.read_latents(tmp_path / name, moments)
    assert refused.value.name == field
    assert fix in refused.value.fix
    assert str(tmp_path / "a.") in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


PATHS = {
    "5000_letters": ("a" * 5000 + ".npz", "cannot be opened (File name too long)"),
    "5000_folders": ("b/" * 2500 + "a.npz", "cannot be opened (File name too long)"),
    "nul": ("a\0b.npz", "cannot be opened (embedded null byte)"),
    "newline": ("a\nb.npz", "is not a file"),
    "surrogate": ("a\udc80.npz", "is not a file"),
    "folder": (".", "is not a file but a folder"),
    "nobody": ("~nobody_of_that_name/a.npz", "is not a file"),
    "below_a_file": ("there.npz/a.npz", "is not a file"),
    "loop": ("loop.npz", "cannot be opened (Too many levels of symbolic links)"),
    "pipe": ("pipe.npz", "is not a file"),
}


@pytest.mark.parametrize("case", PATHS)
@pytest.mark.parametrize("load", [latent_files.read_latents, lambda path: ArrayTarget(path, None, 0.2, 0)])
def test_a_path_that_cannot_be_opened_is_refused_on_one_short_line(tmp_path, monkeypatch, load, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.npz").write_bytes(b"")
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    path, fix = PATHS[case]
    with pytest.raises(FieldError) as refused:
        load(path)
    assert refused.value.name == "path"
    assert fix in refused.value.fix
    assert len(str(refused.value)) < 700
    assert str(refused.value).isprintable()


@pytest.fixture
def unprivileged():
    """Not root for the length of a test, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize("load", [latent_files.read_latents, lambda path: ArrayTarget(str(path), None, 0.2, 0)])
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_that_may_not_be_read_is_refused(tmp_path, request, load, closed):
    (tmp_path / "in").mkdir()
    npz()(tmp_path / "in" / "a.npz")
    (tmp_path / "in" / "a.npz" if closed == "file" else tmp_path / "in").chmod(0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(FieldError, match=r"cannot be opened \(Permission denied\)"):
        load(tmp_path / "in" / "a.npz")


LABELS_WRONG = {
    "negative": (np.where(LABELS == 2, -1, LABELS), "row 2 has label -1"),
    "fractional": (LABELS + 0.5 * (np.arange(20) == 7), "row 7 has label 1.5"),
    "nan": (np.where(np.arange(20) == 4, np.nan, LABELS), "row 4 has label nan"),
    "infinite": (np.where(np.arange(20) == 4, np.inf, LABELS), "row 4 has label inf: more classes than"),
    "words": (np.array(["cat", "dog"] * 10), "labels are <U3"),
    "large": (np.where(np.arange(20) == 9, 10**9, LABELS), "row 9 has label 1000000000: more classes than the 20 rows"),
    "short": (LABELS[:7], "labels have shape [7], not [20], one a row"),
    "two_axes": (LABELS[:, None], "labels have shape [20, 1]"),
}


@pytest.mark.parametrize("case", LABELS_WRONG)
def test_labels_that_are_no_classes_are_refused_by_row_and_value(case):
    labels, says = LABELS_WRONG[case]
    with pytest.raises(ValueError, match=re.escape(says)):
        latent_files.classes(labels, 20)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, bool])
def test_labels_of_any_type_of_whole_numbers_are_classes(kind):
    labels = (np.arange(20) % 2).astype(kind)
    np.testing.assert_array_equal(latent_files.classes(labels, 20), np.arange(20) % 2)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64])
def test_rows_held_out_may_be_said_by_0_and_1(tmp_path, kind):
    npz(held_out=HELD_OUT.astype(kind))(tmp_path / "a.npz")
    np.testing.assert_array_equal(latent_files.read_latents(tmp_path / "a.npz").held_out, HELD_OUT)


def test_an_interrupted_write_never_leaves_latents_beside_the_notes_of_others(tmp_path, monkeypatch):
    """Old latents have moments, new ones none: with the wrong json log variances would pass for latents."""
    path, left = tmp_path / "a.npy", 100
    replace, unlink = Path.replace, Path.unlink

    def failing(really):
        def change(self, *arguments, **options):
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return really(self, *arguments, **options)

        return change

    seen = set()
    for n_changes in range(12):
        left = 100
        latent_files.write(path, MEAN, LOG_VAR, LABELS)
        left = n_changes
        monkeypatch.setattr(Path, "replace", failing(replace))
        monkeypatch.setattr(Path, "unlink", failing(unlink))
        with contextlib.suppress(KeyboardInterrupt):
            latent_files.write(path, 7 + MEAN[:9], None, LABELS[:9] + 1)
        monkeypatch.undo()
        if not path.exists():
            seen.add("none")
            continue
        file = latent_files.read_latents(path)
        seen.add(len(file.rows))
        assert file.moments == (-1 if len(file.rows) == 20 else None)
        np.testing.assert_array_equal(file.labels, LABELS if len(file.rows) == 20 else LABELS[:9] + 1)
    assert seen == {"none", 20, 9}


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_a_write_without_room_leaves_the_old_files_and_nothing_else(tmp_path, name):
    latent_files.write(tmp_path / name, MEAN, LOG_VAR, LABELS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large|written"):
            latent_files.write(tmp_path / name, 2 * MEAN, LOG_VAR, LABELS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
