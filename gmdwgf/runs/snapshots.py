"""Samples at increasing steps, stored in `samples.npz`."""

import zipfile
from pathlib import Path

import numpy as np

from gmdwgf.files import DamagedFile, replaced_atomically

FIX = "the command of the run draws the samples of its last step again"


class Snapshots:
    """Arrays `y` (held-out targets), `steps` `[k]` and `x` `[k n d]`, written at every evaluation."""

    def __init__(self, path: Path, y: np.ndarray):
        self.path, self.y = path, y
        self.taken: dict[int, np.ndarray] = {}

    def load(self, up_to: int) -> None:
        """Load samples up to a step from the file. Raises DamagedFile if it cannot be read."""
        if up_to < 0 or not self.path.is_file():
            return
        kept = read(self.path)
        pairs = zip(kept["steps"].tolist(), kept["x"], strict=True)
        self.taken = {step: x for step, x in pairs if step <= up_to}

    def add(self, step: int, x: np.ndarray) -> None:
        """Add the samples of a step and write the file."""
        self.taken[step] = x
        steps = sorted(self.taken)
        with replaced_atomically(self.path) as temporary:
            np.savez(temporary, y=self.y, steps=np.asarray(steps), x=np.stack([self.taken[s] for s in steps]))


def read(path: Path) -> dict[str, np.ndarray]:
    """Read `x` `[k n d]`, `steps` `[k]` and `y` `[m d]` of a run. Raises OSError, and DamagedFile if the file is corrupted.

    Verifies all checksums first: NumPy verifies them only at the end of a member, which an array with a damaged header may not
    reach.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                if (name := archive.testzip()) is not None:
                    raise ValueError(f"the checksum of {name} is wrong")
            file.seek(0)
            with np.load(file, allow_pickle=False) as kept:
                found = {name: kept[name] for name in ("x", "steps", "y")}
            _check(**found)
        except Exception as error:  # a damaged file can raise any error
            raise DamagedFile(path, f"cannot be read ({' '.join(str(error).split())[:100]})", FIX) from error
    return found


def _check(x: np.ndarray, steps: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError unless the arrays have the dtypes and shapes of a run."""
    if not all(np.issubdtype(array.dtype, np.floating) for array in (x, y)) or steps.dtype.kind not in "iu":
        raise ValueError(f"x, steps and y are {x.dtype}, {steps.dtype} and {y.dtype}")
    if x.ndim != 3 or y.ndim != 2 or steps.shape != x.shape[:1] or x.shape[2] != y.shape[1] or 0 in x.shape + y.shape:
        raise ValueError(f"x, steps and y have shapes {list(x.shape)}, {list(steps.shape)} and {list(y.shape)}")
    if (np.diff(steps.astype(np.int64), prepend=-1) <= 0).any():
        raise ValueError("the steps are not increasing")
    if not np.isfinite(np.square(y, dtype=np.float64).sum()):
        raise ValueError("y is not finite")
