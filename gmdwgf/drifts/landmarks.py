"""Nyström approximation of sums over all targets of a data set, through landmarks (DriftXpress, arXiv:2605.12183).

With landmarks U `[k d]` among the targets y_1 .. y_N and the ridge matrix G = K_UU + ridge I,

    k(x, y) ~ k(x, U) G^-1 k(U, y),       mean_j k(x, y_j) ~ sum_u k(x, u) w_u,       w = G^-1 mean_j k(U, y_j),
                                          mean_j k(x, y_j) y_j ~ sum_u k(x, u) M_u,   M = G^-1 mean_j k(U, y_j) y_j^T.

`w` and `M` are computed once, in a single pass over the data; afterwards a sum over all targets costs O(k) a point. They are the
moments of DriftXpress, the sums of G^(-1/2) k(U, y_j), times the root of G^-1 that the features of x would have: no root is needed.
With all targets as landmarks the sums are exact as the ridge goes to 0.

A kernel that is positive definite only for sums without total mass (the energy kernel -r and its relatives) is interpolated with
weights of total 1: w solves the equations with this side condition (ours). Only the first sum is then meaningful.

Deng et al. divide the affinity of a target by the root of its column sum C(y) over the current particles, so that the sums are of
k(x, y) C(y)^(-1/2). They need the moments T = mean_j (G^-1 k(U, y_j)) (G^-1 k(U, y_j))^T (1, y_j): the root of C is then known at the
landmarks only, and interpolated from these (ours). Memory k^2 (d + 1).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from scipy.spatial.distance import cdist

from gmdwgf.pairs import reductions
from gmdwgf.pairs.reductions import Softmax
from gmdwgf.typing import Array, Float, Point, Scalar, Targets, Weights

LEAST_SHARE = 0.01
"""Least kernel mass at a point, as a share of the mass without the signs of `weights`, of which a barycentre is computed. Ours.

Far from all landmarks the signed sum is a small difference of large terms; the barycentre of the landmarks themselves is then used.
"""


class TargetKernel(NamedTuple):
    """A kernel from whose sums over the targets a drift's attraction follows."""

    value: Callable[[Array], Array]
    """k as a function of the squared distance."""
    is_definite: bool = True
    """Whether it is positive definite; otherwise it is so for sums without total mass, such as -r."""
    has_columns: bool = False
    """Whether each target's affinity is also divided by the root of its sum over the particles (Deng et al.)."""


class Moments(eqx.Module):
    """Sums over all targets of a data set, as weights and displacements of landmarks."""

    landmarks: Float[Array, "k d"]
    weights: Float[Array, " k"]
    """w, such that mean_j k(x, y_j) ~ sum_u w_u k(x, u)."""
    offsets: Float[Array, "k d"]
    """M_u - w_u u, such that mean_j k(x, y_j) y_j ~ sum_u k(x, u) (w_u u + offsets_u)."""
    column_weights: Float[Array, "k k"] | None = None
    """T for the factor 1; None for kernels without column sums."""
    column_offsets: Float[Array, "k k d"] | None = None
    """T for the factor y_j, less that of the landmarks' own places."""

    def with_columns(self, factors: Weights) -> "Moments":
        """Moments of mean_j k(x, y_j) g(y_j) (1, y_j), with g interpolated from its values at the landmarks, `factors` `[k]`."""
        assert self.column_weights is not None
        assert self.column_offsets is not None
        offsets = jnp.einsum("kld,l->kd", self.column_offsets, factors)
        return Moments(self.landmarks, self.column_weights @ factors, offsets)


def attraction(moments: Moments, near: Softmax, landmarks: Targets) -> tuple[Point, Scalar]:
    """Barycentre of all targets at a point with affinities `near` to the landmarks, and 1 if it is out of their reach, else 0.

    `landmarks` are those of `moments`, in coordinates of the caller. Out of reach (see `LEAST_SHARE`) the landmarks count as a batch.
    """
    signed = near.exponentials * moments.weights
    mass, unsigned = jnp.sum(signed), jnp.sum(jnp.abs(signed))
    is_known = mass > LEAST_SHARE * unsigned
    total = reductions.combination(signed, landmarks) + reductions.combination(near.exponentials, moments.offsets)
    of_all = total / jnp.where(is_known, mass, 1.0)
    return jnp.where(is_known, of_all, near.mean(landmarks)), 1.0 - is_known.astype(mass.dtype)


def moments_of(
    kernels: Sequence[TargetKernel], landmarks: Targets, chunks: Iterable[Array], ridge: float
) -> tuple[Moments, ...]:
    """Compute the moments of all points in `chunks` for each kernel; every chunk is read once and then forgotten.

    `ridge` is relative to the size of the kernel: its value at distance 0, or its mean where that is 0. Sums and systems of equations
    are in double precision, on the host.
    """
    points, n_points = np.asarray(landmarks, np.float64), 0
    sums = [_Sums(kernel, points, ridge) for kernel in kernels]
    for chunk in chunks:
        y = np.asarray(chunk, np.float64)
        n_points += len(y)
        for of_kernel in sums:
            of_kernel.add(y)
    arrays = [of_kernel.moments(n_points) for of_kernel in sums]
    return tuple(Moments(landmarks, *(jnp.asarray(array, landmarks.dtype) for array in found)) for found in arrays)


class _Sums:
    """Running sums over targets for one kernel, with places relative to the mean of the landmarks."""

    def __init__(self, kernel: TargetKernel, points: np.ndarray, ridge: float):
        self.kernel, self.points, self.solve = kernel, points, _solver(kernel, points, ridge)
        self.centre = points.mean(axis=0)
        self.totals: list[np.ndarray] = []

    def add(self, y: np.ndarray) -> None:
        affinities, places = _affinities(self.kernel, self.points, y), y - self.centre
        part = [affinities.sum(axis=1), affinities @ places]
        part += _column_sums(self.solve(affinities), places) if self.kernel.has_columns else []
        self.totals = [one + other for one, other in zip(self.totals, part, strict=True)] if self.totals else part

    def moments(self, n_points: int) -> list[np.ndarray]:
        """Fields of `Moments` after the landmarks."""
        mass, firsts, *columns = [total / n_points for total in self.totals]
        places, weights = self.points - self.centre, self.solve(mass)
        found = [weights, self.solve(firsts) - weights[:, None] * places]
        if columns:
            found += [columns[0], columns[1] - columns[0][:, :, None] * places[:, None]]
        return found


def _affinities(kernel: TargetKernel, points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """k(points, others), in JAX's default precision."""
    return np.asarray(kernel.value(jnp.asarray(cdist(points, others, "sqeuclidean"))), np.float64)


def _solver(kernel: TargetKernel, points: np.ndarray, ridge: float) -> Callable[[np.ndarray], np.ndarray]:
    """Function that multiplies a vector or matrix by G^-1; for kernels that are not definite, with solutions of total 1."""
    gram, k = _affinities(kernel, points, points), len(points)
    if kernel.is_definite:
        factor = scipy.linalg.cho_factor(gram + ridge * gram[0, 0] * np.eye(k), lower=True)
        return lambda right: scipy.linalg.cho_solve(factor, right)
    bordered = np.ones((k + 1, k + 1))
    bordered[:k, :k] = gram + ridge * np.mean(np.abs(gram)) * np.eye(k)
    bordered[k, k] = 0.0
    factor = scipy.linalg.lu_factor(bordered)
    return lambda right: scipy.linalg.lu_solve(factor, np.concatenate([right, np.ones((1, *right.shape[1:]))]))[:k]


def _column_sums(features: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
    """Sums over targets of F F^T `[k k]` and F F^T y `[k k d]`, for features F of the targets `[k m]` and their `places` `[m d]`."""
    firsts = [(features * place) @ features.T for place in places.T]
    return [features @ features.T, np.stack(firsts, axis=-1)]
