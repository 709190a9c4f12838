"""Put data to a standard scale, and points back to the scale of the data: z = (x - shift) / scale.

The lengths of the defaults (bandwidths, epsilon, the divergence radius) suit points whose median distance is about 2. Rows of
unknown scale are therefore standardised before training, so that data and the same data in other units give the same run:

- `none`: rows are used as they are;
- `scale`: the mean is subtracted and all coordinates are divided by one number;
- `coordinates`: every coordinate is divided by its standard deviation first, for columns of unlike units;
- `whiten`: the rows are multiplied by the inverse square root of their covariance first.

After each of them the median distance of two rows is 2 (the number is ours; arXiv:2602.04770 normalises features similarly).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.spatial.distance import pdist

from gmdwgf.config.fields import FieldError
from gmdwgf.mappings import Facts
from gmdwgf.typing import Array, Float, Particles

METHODS = ("none", "scale", "coordinates", "whiten")

MEDIAN_DISTANCE = 2.0
"""Median distance of two standardised rows."""

MOST_WHITENED = 256
"""Largest number of columns that are whitened: the matrix is stored with the run."""

_N_COMPARED = 1000
"""Number of rows whose pairs give the median distance."""

_ROUNDING = 1e-12
"""A column is constant if its standard deviation is below this fraction of its mean."""

_LEAST_VARIANCE = 1e-4
"""Fraction of the largest variance below which `whiten` does not amplify a direction (ours)."""


class Standardisation(eqx.Module):
    """The affine map from standard points z to data points x = shift + scale z."""

    shift: Float[Array, " d"]
    scale: Float[Array, ""] | Float[Array, " d"] | Float[Array, "d d"]
    """One number, one number for each coordinate, or a matrix."""

    def undo(self, z: Particles) -> Particles:
        """Points `[n d]` in the units of the data."""
        return self.shift + self.undo_difference(z)

    def undo_difference(self, v: Particles) -> Particles:
        """Differences of points, e.g. velocities, `[n d]` in the units of the data."""
        return v @ self.scale.T if self.scale.ndim == 2 else self.scale * v

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Standard points of data points `[n d]`, on the host in float64."""
        scale, centred = np.asarray(self.scale, np.float64), np.asarray(x, np.float64) - np.asarray(self.shift)
        return np.linalg.solve(scale, centred.T).T if scale.ndim == 2 else centred / scale

    def facts(self) -> Facts:
        """Shift and scale as plain numbers, for the manifest of a run."""
        return {"shift": np.asarray(self.shift, float).tolist(), "scale": np.asarray(self.scale, float).tolist()}


def in_data_units(back: Standardisation | None, points: Particles) -> Particles:
    """Points `[n d]` in the units of the data; unchanged if they are in these units (`back` is None)."""
    return points if back is None else back.undo(points)


def from_facts(facts: Facts | None, dim: int) -> Standardisation | None:
    """The standardisation in the manifest of a run; None if there is none. Raises ValueError for other shapes or values."""
    if facts is None:
        return None
    shift, scale = (np.asarray(facts[name], float) for name in ("shift", "scale"))
    if shift.shape != (dim,) or scale.shape not in ((), (dim,), (dim, dim)):
        raise ValueError(
            f"shift {list(shift.shape)} and scale {list(scale.shape)} do not fit points of dimension {dim}"
        )
    if not (np.isfinite(shift).all() and np.isfinite(scale).all()):
        raise ValueError("shift and scale must be finite")
    return Standardisation(jnp.asarray(shift), jnp.asarray(scale))


def check_method(method: object, methods: tuple[str, ...] = METHODS) -> None:
    """Raise FieldError unless `method` is one of `methods`."""
    if method not in methods:
        raise FieldError("standardise", method, "must be one of " + ", ".join(methods))


def standardised(
    training: np.ndarray, held: np.ndarray, method: str
) -> tuple[np.ndarray, np.ndarray, Standardisation | None]:
    """Standardise training rows and held-out rows by the training rows; returns both in float64, and the map back.

    Training rows must be in random order and not all equal. Everything is computed on the host in float64, so that rows far from the
    origin keep their digits.
    """
    if method == "none":
        return training, held, None
    shift = np.mean(training, axis=0, dtype=np.float64)
    clouds = [np.asarray(rows, np.float64) - shift for rows in (training, held)]
    scale = _first_scale(clouds[0], np.abs(shift), method)
    clouds = [np.linalg.solve(scale, z.T).T if scale.ndim == 2 else z / scale for z in clouds]
    factor = typical_distance(clouds[0]) / MEDIAN_DISTANCE
    return clouds[0] / factor, clouds[1] / factor, Standardisation(jnp.asarray(shift), jnp.asarray(scale * factor))


def _first_scale(centred: np.ndarray, size: np.ndarray, method: str) -> np.ndarray:
    """The scale before the common factor: 1, the standard deviations, or the square root of the covariance."""
    if method == "scale":
        return np.ones(())
    spread = centred.std(axis=0)
    spread = np.where(spread > _ROUNDING * size, spread, 1.0)  # constant columns stay constant
    if method == "coordinates":
        return spread
    n_columns = centred.shape[1]
    if n_columns > MOST_WHITENED:
        raise FieldError(
            "standardise", method, f"is for at most {MOST_WHITENED} columns, not {n_columns}; use coordinates"
        )
    variance, directions = np.linalg.eigh(np.atleast_2d(np.cov(centred / spread, rowvar=False, ddof=0)))
    variance = np.maximum(variance, _LEAST_VARIANCE * variance.max())
    return spread[:, None] * (directions * np.sqrt(variance)) @ directions.T


def typical_distance(rows: np.ndarray) -> float:
    """Median distance of two of the first rows; their mean distance if most are equal, and that of all rows if these are too."""
    some = np.asarray(rows[:_N_COMPARED], np.float64)
    distances = pdist(some)
    found = float(np.median(distances)) or float(np.mean(distances))
    return found or float(np.sqrt(2 * np.var(np.asarray(rows, np.float64), axis=0).sum()))
