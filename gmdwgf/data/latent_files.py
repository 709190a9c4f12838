"""Latent files, written by `python -m gmdwgf.encode` and read by `dataset=image_latents`; see docs/latents.md."""

import contextlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files, data_files
from gmdwgf.files import replaced_atomically
from gmdwgf.mappings import Facts
from gmdwgf.reading import parse_json


class LatentFile(NamedTuple):
    """Rows of a latent file, in memory or memory-mapped; a point is `mean + exp(log_var / 2) noise`."""

    path: Path
    rows: np.ndarray
    """`[N ...]` in the format of the file: latents, or moments of their posteriors."""
    log_var: np.ndarray | None
    """`[N ...]`, if it is a separate array."""
    moments: int | None
    """Axis of `rows` with the means followed by the log variances; None if `rows` are latents."""
    labels: np.ndarray | None
    """`[N]`, classes 0, 1, ..."""
    held_out: np.ndarray | None
    """`[N]`, true for held-out rows."""
    encoder: str | None
    sha256: str | None
    """Hash of the encoder's weights."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a latent, channels last."""
        return self.points(slice(0, 1))[0].shape[1:]

    def points(self, at: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Read means and log variances `[n ...]` of rows (a slice or indices), channels last, as float32."""
        log_var = None if self.log_var is None else np.asarray(self.log_var[at], np.float32)
        return split_moments(np.asarray(self.rows[at], np.float32), log_var, self.moments)


def split_moments(
    rows: np.ndarray, log_var: np.ndarray | None, moments: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Split moments into means and log variances `[n ...]`, channels last; log variances are clipped to [-30, 20] (as diffusers)."""
    if moments is not None:
        rows, log_var = (np.moveaxis(half, moments, -1) for half in np.split(rows, 2, axis=moments))
    return rows, None if log_var is None else np.clip(log_var, -30.0, 20.0)


def read_latents(path: str | Path, moments: int | None = None) -> LatentFile:
    """Open a latent file. `.npy` files are memory-mapped; `moments` describes their rows if there is no json file.

    Raises FieldError (`path`, `moments`) for a file that is missing, damaged or inconsistent. Values are not checked here, but by
    `array_files.refuse_not_finite`, and labels by `classes`.
    """
    file = array_files.existing(path, "python -m gmdwgf.encode IMAGES OUT.npz writes one")
    opened = _npz(file, moments) if file.suffix == ".npz" else _npy(file, moments)
    _check(opened)
    return opened


def _npz(file: Path, moments: int | None) -> LatentFile:
    if moments is not None:
        fix = f"is for .npy files; {array_files.shown(file)} has log variances in an array 'logvar' or none: leave it null"
        raise FieldError("moments", moments, fix)
    named = array_files.shown(file)
    with array_files.reading(file), file.open("rb") as stream:
        archive = np.load(stream, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise FieldError("path", named, "is a .npy file by its contents; rename it to end in .npy")
        if "mean" not in archive.files:
            there = ", ".join(archive.files[:10]) or "none"
            fix = f"has no array 'mean', only {there}; docs/latents.md describes the format"
            raise FieldError("path", named, fix)
        names = ("mean", "logvar", "labels", "held_out", "encoder", "sha256")
        found = {name: array_files.member(archive, name, file) for name in names if name in archive.files}
    encoder, sha256 = (str(found[name]) if name in found else None for name in ("encoder", "sha256"))
    return LatentFile(
        file, found["mean"], found.get("logvar"), None, found.get("labels"), found.get("held_out"), encoder, sha256
    )


def _npy(file: Path, moments: int | None) -> LatentFile:
    beside, notes = data_files.notes_beside(file), _notes(file)
    rows, labels = mapped(file, file), None
    if beside and notes.get("labels"):
        named = data_files.labels_beside(beside, notes["labels"]) or beside.with_name(notes["labels"])
        labels = mapped(named, file, f"its labels, {notes['labels']}: ")
    if "moments" in notes:
        written = notes["moments"]
        if moments is not None and (written is None or (written - moments) % max(rows.ndim, 1)):
            raise FieldError(
                "moments", moments, f"is {json.dumps(written)} according to {array_files.shown(beside)}; leave it null"
            )
        moments = written
    return LatentFile(file, rows, None, moments, labels, None, notes.get("encoder"), notes.get("sha256"))


def mapped(file: Path, latents: Path, what: str = "") -> np.ndarray:
    """Memory-map a `.npy` file; errors name `latents`, to which `file` belongs."""
    with array_files.reading(latents, what):
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        fix = f"{what}is an .npz file by its contents; rename it to end in .npz"
        raise FieldError("path", array_files.shown(latents), fix)
    return array


def _notes(file: Path) -> Facts:
    """Read the json file that describes a `.npy` file."""
    beside = data_files.notes_beside(file)
    if beside is None:
        return {}
    what = f"{beside.name} beside it "
    with array_files.reading(file, what):
        notes = parse_json(beside.read_text(encoding="utf-8"))
    fix = None
    if not isinstance(notes, dict):
        fix = "is no object; write {} or what docs/latents.md describes"
    elif type(notes.get("moments")) not in (int, type(None)):
        fix = f"has moments {json.dumps(notes['moments'])[:100]}; must be null or the axis of the moments, e.g. -1"
    elif "held_out" in notes:
        fix = "has held_out, which only an .npz file can have; use dataset.held_out_fraction"
    else:
        for name in ("labels", "encoder", "sha256"):
            given = notes.get(name)
            if given is not None and (not isinstance(given, str) or (name == "labels" and Path(given).name != given)):
                kind = "the name of a file in the same folder" if name == "labels" else "text"
                fix = f"has {name} {json.dumps(given)[:100]}; must be {kind}"
    if fix is not None:
        raise FieldError("path", array_files.shown(file), what + fix)
    return notes


def _check(file: LatentFile) -> None:
    rows, shape, named = file.rows, list(file.rows.shape), array_files.shown(file.path)
    array_files.refuse_other_than_real(rows, file.path)
    if rows.ndim < 2 or 0 in shape or len(rows) < 2:
        raise FieldError("path", named, f"has latents of shape {shape}; [N ...] needs at least 2 rows of numbers")
    moments = file.moments
    if moments is not None:
        is_axis = type(moments) is int and -rows.ndim < moments < rows.ndim and moments != 0
        if not is_axis or shape[moments] % 2:
            fix = f"must be an axis of {shape} after the first, and of even length; {named} has that shape"
            raise FieldError("moments", moments, fix)
    if file.log_var is not None:
        array_files.refuse_other_than_real(file.log_var, file.path, "logvar")
        if list(file.log_var.shape) != shape:
            fix = f"has means of shape {shape} but log variances of shape {list(file.log_var.shape)}; save one for each"
            raise FieldError("path", named, fix)
    for name in ("labels", "held_out"):
        array = getattr(file, name)
        if array is not None and array.shape != (len(rows),):
            fix = f"has {name} of shape {list(array.shape)}, not [{len(rows)}], one a row; save one for each row"
            raise FieldError("path", named, fix)
    if file.held_out is not None:
        _check_held_out(file.held_out, named)


def _check_held_out(held_out: np.ndarray, named: str) -> None:
    is_flag = held_out.dtype == bool
    if not is_flag and not (np.issubdtype(held_out.dtype, np.integer) and np.isin(held_out, (0, 1)).all()):
        wrong = f"of type {held_out.dtype}"
        if np.issubdtype(held_out.dtype, np.integer):
            row = int(np.flatnonzero(~np.isin(held_out, (0, 1)))[0])
            wrong = f"{held_out[row]} in row {row}"
        raise FieldError("path", named, f"has held_out {wrong}; save true or false for each row")
    for value, none in ((True, "train on"), (False, "score against")):
        if (held_out.astype(bool) == value).all():
            fix = f"has held_out {str(value).lower()} in all rows, and none left to {none}; leave held_out out, or save both"
            raise FieldError("path", named, fix)


RENUMBER = "number them 0, 1, ... by numpy.unique(labels, return_inverse=True)[1]"
"""Suggested fix for labels of another kind."""


def classes(labels: np.ndarray, n_rows: int) -> np.ndarray:
    """Convert labels `[n_rows]` to integers. Raises ValueError with the invalid row and a fix."""
    if labels.shape != (n_rows,):
        raise ValueError(f"labels have shape {list(labels.shape)}, not [{n_rows}], one a row; save one for each row")
    if labels.dtype.kind not in "biuf":
        raise ValueError(f"labels are {labels.dtype}, not integers; {RENUMBER}")
    wrong = (labels < 0) | (labels != np.floor(labels)) if labels.dtype.kind != "b" else np.zeros(n_rows, bool)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"row {row} has label {labels[row]}, which is not an integer of at least 0; {RENUMBER}")
    row = int(np.argmax(labels))
    if labels[row] >= n_rows:
        raise ValueError(f"row {row} has label {labels[row]}: more classes than the {n_rows} rows; {RENUMBER}")
    return labels.astype(int)


def write(
    path: Path,
    mean: np.ndarray,
    log_var: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    held_out: np.ndarray | None = None,
    encoder: str | None = None,
    sha256: str | None = None,
) -> None:
    """Write a latent file: `.npz`, or `.npy` with moments along the last axis and a json file.

    An interruption leaves the old file, the new one or none. A `.npy` file is deleted first and written last, so that it is never
    combined with the json file or labels of another.
    """
    if path.suffix == ".npz":
        given: Facts = {"mean": mean, "logvar": log_var, "labels": labels, "held_out": held_out}
        given |= {"encoder": encoder, "sha256": sha256}
        with replaced_atomically(path) as temporary:
            np.savez_compressed(temporary, **{name: value for name, value in given.items() if value is not None})
        return
    beside, of_labels = beside_npy(path)
    notes: Facts = {"moments": None if log_var is None else -1, "encoder": encoder, "sha256": sha256}
    with replaced_atomically(path) as temporary:
        np.save(temporary, mean if log_var is None else np.concatenate([mean, log_var], axis=-1))
        with replaced_atomically(beside) as temporary_notes, contextlib.ExitStack() as last:
            if labels is not None:
                notes["labels"] = of_labels.name
                np.save(last.enter_context(replaced_atomically(of_labels)), labels)
            temporary_notes.write_text(json.dumps(notes, indent=2) + "\n")
            path.unlink(missing_ok=True)


def beside_npy(path: Path) -> tuple[Path, Path]:
    """Paths of the json file and the labels that `write` adds to a `.npy` file."""
    return path.with_suffix(".json"), path.with_name(f"{path.stem}.labels.npy")
