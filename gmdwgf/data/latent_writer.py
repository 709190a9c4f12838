"""Check before encoding that the output of `python -m gmdwgf.encode` overwrites neither its input nor unrelated files."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from gmdwgf.data.latent_files import beside_npy

_BYTES_OF_A_PICTURE = 160
"""Upper bound of the size of a row: means, log variances and a label."""


def why_not_written(source: Path, out: Path) -> str | None:
    """Reason why latents of `source` must not be written to `out`, on one line; None if they can be."""
    if out.suffix not in (".npz", ".npy"):
        return f"{out}: must end in .npz or .npy"
    written = [out] if out.suffix == ".npz" else [out, *beside_npy(out)]
    for file in written:
        if file.is_dir():
            return f"{file}: is a folder; give the name of a file"
        if file.exists() and file.samefile(source):
            return f"{file}: is the input, which would be overwritten; give another name"
        if file.exists() and not os.access(file, os.W_OK):
            return f"{file}: may not be written to; give another name"
    if folder := _folder_read(source, out):
        return f"{out}: lies in {folder}, which is read for pictures, this file too the next time; write it elsewhere"
    for file in written[1:]:
        if file.exists() and not _is_ours(beside_npy(out)[0]):
            return f"{file}: is there already and was not written with {out.name}; give another name"
    return None


def _folder_read(source: Path, out: Path) -> Path | None:
    """The input folder that would contain `out`, if any."""
    if not source.is_dir():
        return None
    above = [parent for parent in Path(os.path.realpath(out.parent / "_")).parents if parent.exists()]
    read = [source, *(path for path in source.iterdir() if path.is_dir())]
    return next((folder for folder in read if any(folder.samefile(parent) for parent in above)), None)


def _is_ours(beside: Path) -> bool:
    """Whether the json file of a `.npy` file is that of a latent file."""
    try:
        notes = json.loads(beside.read_text())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(notes, dict) and {"moments", "encoder"} <= set(notes) <= {
        "moments",
        "encoder",
        "sha256",
        "labels",
    }


@contextlib.contextmanager
def writing(out: Path) -> Iterator[None]:
    """Context that attributes OSErrors to `out` instead of a temporary file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"cannot be written ({error.strerror or error})", str(out)) from error


def try_to_write(out: Path, n_pictures: int = 0) -> None:
    """Raise the OSError that writing `out` would raise, by writing and deleting a file of the expected size."""
    with writing(out):
        folder = out.absolute().parent
        while not folder.exists():
            folder = folder.parent
        trial = folder / f".{out.stem}.labels.{os.getpid()}.trial.tmp{out.suffix}"
        try:
            with trial.open("wb") as file:
                if n_pictures and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, _BYTES_OF_A_PICTURE * n_pictures)
        finally:
            if trial.exists():
                trial.unlink()
