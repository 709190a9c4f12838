"""Any array of points on disk as a target, split into training and held-out rows."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.hyperparameters import FieldError
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Key, Targets


class ArrayTarget(AbstractTarget):
    """The rows of a `.npy` or `.npz` file `[N d]`: `sample` draws training rows with replacement, `held_out` the others.

    The split is a fixed permutation from `split_seed`; `held_out_fraction` of the rows are never trained on. `member` names
    the array of an `.npz` file that has several. Raises FieldError for a file that is missing, damaged, of another shape,
    or not finite.
    """

    train: Float[Array, "N d"]
    held: Float[Array, "M d"]

    def __init__(self, path: str | None, member: str | None, held_out_fraction: float, split_seed: int):
        if not isinstance(held_out_fraction, int | float) or not 0 < held_out_fraction < 1:
            raise FieldError("held_out_fraction", held_out_fraction, "must be a number between 0 and 1, e.g. 0.2")
        if not isinstance(split_seed, int) or split_seed < 0:
            raise FieldError("split_seed", split_seed, "must be a whole number, 0 or more")
        rows = _points(path, member)
        order = np.random.default_rng(split_seed).permutation(len(rows))
        n_held = min(max(1, round(held_out_fraction * len(rows))), len(rows) - 1)
        self.held, self.train = jnp.asarray(rows[order[:n_held]], float), jnp.asarray(rows[order[n_held:]], float)

    @property
    def dim(self) -> int:
        return self.train.shape[1]

    @property
    def n_held_out(self) -> int:
        return self.held.shape[0]

    def sample(self, key: Key, n: int) -> Targets:
        return self.train[jax.random.randint(key, (n,), 0, self.train.shape[0])]

    def held_out(self, key: Key, n: int) -> Targets:
        """Held-out rows, each at most once while there are enough."""
        return jax.random.choice(key, self.held, (n,), replace=n > self.held.shape[0])


def _points(path: str | None, member: str | None) -> np.ndarray:
    array = _load(path, member)
    if array.ndim != 2:
        raise FieldError("path", path, f"holds an array of shape {list(array.shape)}; points must be [N d], one row each")
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise FieldError("path", path, f"holds {array.dtype}, not real numbers")
    if array.shape[0] < 2 or array.shape[1] < 1:
        raise FieldError("path", path, f"holds {array.shape[0]} rows of {array.shape[1]}; at least 2 rows are needed")
    n_bad = int((~np.isfinite(array)).any(axis=1).sum())
    if n_bad:
        raise FieldError("path", path, f"has NaN or infinity in {n_bad} of {array.shape[0]} rows; remove them first")
    return array


def _load(path: str | None, member: str | None) -> np.ndarray:
    if path is None:
        raise FieldError("path", "null", "give a file of points [N d], e.g. dataset.path=points.npy")
    file = Path(path).expanduser()
    if not file.is_file():
        raise FieldError("path", path, f"there is no such file (looked in {file.absolute().parent})")
    if file.suffix not in (".npy", ".npz"):
        raise FieldError("path", path, "must end in .npy or .npz (numpy.save writes one)")
    try:
        loaded = np.load(file, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            return loaded
        with loaded:
            return loaded[_member(loaded.files, member)]
    except FieldError:
        raise
    except Exception as error:  # NumPy raises whatever the damage leads to
        raise FieldError("path", path, f"cannot be read ({' '.join(str(error).split())[:100]})") from error


def _member(names: list[str], member: str | None) -> str:
    if member is None and len(names) == 1:
        return names[0]
    if member not in names:
        raise FieldError("member", member, "must be one of the file's arrays: " + ", ".join(names))
    return member
