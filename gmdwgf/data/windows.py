"""Arrays larger than memory: a `.npy` file of which a changing part of the rows is in memory."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files, data_files, latent_files
from gmdwgf.data.points import Options
from gmdwgf.data.sharded_reader import ShardedReader


class Window(NamedTuple):
    """A file and the number of its training rows that are in memory at a time."""

    path: str
    held_out_fraction: float
    split_seed: int
    n_kept: int

    def reader(self) -> ShardedReader:
        """A reader of the training rows, from the beginning."""
        return ShardedReader(self.path, 0, 0, 1, self.held_out_fraction, self.split_seed, beside=False)

    def first_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The first training rows, and up to as many held-out rows."""
        reader = self.reader()
        return reader.next(self.n_kept), reader.held_out(self.n_kept)[0]


def window_of(path: object, options: Options, fraction: float, seed: int, max_resident: Any) -> Window | None:
    """The window of a `.npy` file of more than `max_resident` bytes as float32; None for other files, which are read whole."""
    array_files.check_resident(max_resident)
    if (
        not isinstance(path, str | Path)
        or Path(path).suffix != ".npy"
        or not data_files.names_a_file("path", str(path))
    ):
        return None
    rows = latent_files.mapped(data_files.resolved(path), Path(path))
    if rows.ndim < 2 or 4 * rows.size <= max_resident:
        return None
    named = array_files.shown(path)
    for option, value in (("columns", options.columns), ("labels", options.labels), ("weights", options.weights)):
        if value is not None:
            raise FieldError(
                option, value, f"needs all rows in memory, but {named} is larger than max_resident; raise it"
            )
    n_kept = array_files.n_resident(max_resident, rows[0], named)
    array_files.refuse_other_than_real(rows, path)
    return Window(str(data_files.resolved(path)), fraction, seed, n_kept)
