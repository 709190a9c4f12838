"""Latent files: what `python -m gmdwgf.encode` writes and `dataset=image_latents` reads; docs/latents.md describes them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gmdwgf import data_files
from gmdwgf.hyperparameters import FieldError


class LatentFile(NamedTuple):
    """The rows of a latent file, read or memory-mapped; a point is `mean + exp(log_var / 2) noise`."""

    path: Path
    rows: np.ndarray
    """`[N ...]` as they lie in the file: latents, or their posteriors' moments."""
    log_var: np.ndarray | None
    """`[N ...]` where it is an array of its own."""
    moments: int | None
    """Axis of `rows` along which the means come first and then as many log variances; None: `rows` are the latents."""
    labels: np.ndarray | None
    """`[N]`, classes 0, 1, ..."""
    held_out: np.ndarray | None
    """`[N]`, true for rows never to be trained on."""
    encoder: str | None
    sha256: str | None
    """Hash of the encoder's weights."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a latent; the channels are moved to the end."""
        return self.points(slice(0, 1))[0].shape[1:]

    def points(self, at: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Means and log variances `[n ...]` of some rows (a slice or indices), channels last, as float32 in memory."""
        log_var = None if self.log_var is None else np.asarray(self.log_var[at], np.float32)
        return split_moments(np.asarray(self.rows[at], np.float32), log_var, self.moments)


def split_moments(
    rows: np.ndarray, log_var: np.ndarray | None, moments: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Means and log variances `[n ...]`, channels last; log variances are cut at -30 and 20, as diffusers does."""
    if moments is not None:
        rows, log_var = (np.moveaxis(half, moments, -1) for half in np.split(rows, 2, axis=moments))
    return rows, None if log_var is None else np.clip(log_var, -30.0, 20.0)


def read(path: str | Path, moments: int | None = None) -> LatentFile:
    """Open a latent file. A `.npy` file is memory-mapped; `moments` says how its rows are laid out where no json beside it does.

    Raises FieldError (`path`, `moments`) for a file that is missing, damaged or not as described.
    """
    file = data_files.resolved(path)
    if file.suffix not in (".npy", ".npz"):
        raise FieldError("path", path, "must be a .npy or .npz file; python -m gmdwgf.encode IMAGES OUT.npz writes one")
    if not file.is_file():
        raise FieldError("path", path, f"is not a file (looked for {file})")
    try:
        opened = _npz(file) if file.suffix == ".npz" else _npy(file, moments)
    except FieldError:
        raise
    except Exception as error:  # NumPy and zipfile raise whatever the damage leads to
        said = " ".join(str(error).split())[:100]
        raise FieldError("path", path, f"cannot be read, perhaps damaged ({said})") from error
    _check(opened, path)
    return opened


def _npz(file: Path) -> LatentFile:
    with np.load(file, allow_pickle=False) as arrays:
        if "mean" not in arrays.files:
            fix = f"has no array 'mean', only {', '.join(arrays.files) or 'none'}; docs/latents.md describes the format"
            raise FieldError("path", file, fix)
        found = {name: arrays[name] for name in arrays.files}
    encoder, sha256 = (str(found[name]) if name in found else None for name in ("encoder", "sha256"))
    return LatentFile(
        file, found["mean"], found.get("logvar"), None, found.get("labels"), found.get("held_out"), encoder, sha256
    )


def _npy(file: Path, moments: int | None) -> LatentFile:
    beside = data_files.notes_beside(file)
    notes = json.loads(beside.read_text()) if beside else {}
    labels = None
    if beside and notes.get("labels"):
        named = data_files.labels_beside(beside, str(notes["labels"]))
        if named is None:
            raise FieldError(
                "path", file, f"cannot be read: {beside} names labels={notes['labels']}, no file beside it"
            )
        labels = np.load(named, mmap_mode="r")
    moments = notes.get("moments", moments)
    rows = np.load(file, mmap_mode="r")
    return LatentFile(file, rows, None, moments, labels, None, notes.get("encoder"), notes.get("sha256"))


def _check(file: LatentFile, path: str | Path) -> None:
    rows, shape = file.rows, list(file.rows.shape)
    if not (np.issubdtype(rows.dtype, np.floating) or np.issubdtype(rows.dtype, np.integer)):
        raise FieldError("path", path, f"holds {rows.dtype}, not real numbers; save it as float32")
    if rows.ndim < 2 or 0 in shape or len(rows) < 2:
        raise FieldError("path", path, f"has latents of shape {shape}; [N ...] needs at least 2 rows of numbers")
    moments = file.moments
    if moments is not None and not (-rows.ndim < moments < rows.ndim and moments != 0 and shape[moments] % 2 == 0):
        raise FieldError("moments", moments, f"must be an axis of {shape} after the first, and of even length")
    if file.log_var is not None and list(file.log_var.shape) != shape:
        raise FieldError(
            "path", path, f"has means of shape {shape} but log variances of shape {list(file.log_var.shape)}"
        )
    for name in ("labels", "held_out"):
        array = getattr(file, name)
        if array is not None and array.shape != (len(rows),):
            raise FieldError("path", path, f"has {name} of shape {list(array.shape)}, not [{len(rows)}], one a row")


def write(
    path: Path,
    mean: np.ndarray,
    log_var: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    held_out: np.ndarray | None = None,
    encoder: str | None = None,
    sha256: str | None = None,
) -> None:
    """Write a latent file, `.npz` with everything in it, or `.npy` with its moments along the last axis and a json beside it."""
    if path.suffix == ".npz":
        given: dict[str, Any] = {"mean": mean, "logvar": log_var, "labels": labels, "held_out": held_out}
        given |= {"encoder": encoder, "sha256": sha256}
        np.savez_compressed(path, **{name: value for name, value in given.items() if value is not None})
        return
    np.save(path, mean if log_var is None else np.concatenate([mean, log_var], axis=-1))
    notes: dict[str, Any] = {"moments": None if log_var is None else -1, "encoder": encoder, "sha256": sha256}
    if labels is not None:
        notes["labels"] = f"{path.stem}.labels.npy"
        np.save(path.with_name(notes["labels"]), labels)
    path.with_suffix(".json").write_text(json.dumps(notes, indent=2) + "\n")
