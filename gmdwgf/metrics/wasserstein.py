"""Wasserstein-2 distances between clouds: exact by assignment, and sliced by sorting.

Both are distances in data units, W2 = sqrt(min over couplings of E|x - y|^2), with the square root and without a factor 1/2.
They are biased estimates of the distance between the two distributions: clouds drawn from the same distribution have a positive
distance, larger for fewer points, so compare each with its floor.

Source: Peyré and Cuturi 2019, chapter 2; Bonneel et al. 2015.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from gmdwgf.typing import Key, Particles, Scalar


def _standardised(cloud: np.ndarray) -> np.ndarray:
    cloud = cloud - cloud.mean(axis=0)  # no mutants: only the speed of the solver depends on it
    rms = np.sqrt(np.mean(np.sum(cloud**2, axis=1)))  # no mutants: as above
    return cloud / rms if rms > 0 else cloud  # no mutants (normaliser dropped): as above


def exact_w2(x: Particles | np.ndarray, y: Particles | np.ndarray) -> float:
    """W2 of two clouds `[n d]` and `[m d]` of equal weights: sqrt(min over couplings P of sum_ij P_ij |x_i - y_j|^2).

    Computed on the host in float64: for n = m by assignment (scipy), in O(n^3) time and O(n^2) memory, 0.1 to 0.7 s for n = 1000;
    otherwise by the network simplex of POT. NaN if a point is not finite.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or 0 in x.shape + y.shape:
        raise ValueError(f"exact W2 needs two clouds of the same dimension, not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return math.nan
    # Standardising leaves the optimal coupling unchanged (it depends only on inner products) and speeds up the solver.
    cost = cdist(_standardised(x), _standardised(y), "sqeuclidean")
    if len(x) == len(y):
        rows, columns = linear_sum_assignment(cost)
        return float(np.sqrt(np.mean(np.sum((x[rows] - y[columns]) ** 2, axis=1))))
    rows, columns, mass = _coupling(cost)
    return float(np.sqrt(np.sum(mass * np.sum((x[rows] - y[columns]) ** 2, axis=1))))


def w2_of_costs(cost: np.ndarray) -> float:
    """W2 of two clouds of equal weights from the squared distances `[n m]` of their points; see `exact_w2`."""
    rows, columns, mass = _coupling(cost) if len(set(cost.shape)) > 1 else (*linear_sum_assignment(cost), 1 / len(cost))
    return float(np.sqrt(np.sum(mass * cost[rows, columns])))


def _coupling(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and masses of the optimal coupling of two uniform measures."""
    from ot.lp import emd  # imported here, because it takes a second

    n, m = cost.shape
    plan = emd(np.full(n, 1 / n), np.full(m, 1 / m), cost, numItermax=10_000_000)
    rows, columns = np.nonzero(plan)
    return rows, columns, plan[rows, columns]


def uniform_directions(key: Key, n: int, dim: int) -> Float[Array, "p d"]:
    """Draw `n` unit vectors uniformly on the sphere."""
    directions = jax.random.normal(key, (n, dim))
    return directions / jnp.linalg.norm(directions, axis=-1, keepdims=True)


def sorted_projections(x: Particles, directions: Float[Array, "p d"]) -> Float[Array, "p n"]:
    """Project the cloud onto each direction and sort the projections."""
    return jnp.sort(jnp.matmul(directions, x.T, precision="highest"), axis=-1)


def _quantile_steps(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals on which two empirical quantile functions are both constant: index of n, index of m, and width."""
    # Integer multiples of 1 / nm. no mutants (off by one): either list ends with 1
    levels = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
    start = levels[:-1]
    return start // m, start // n, np.diff(levels) / (n * m)


def sliced_w2(x_sorted: Float[Array, "p n"], y_sorted: Float[Array, "p m"]) -> Scalar:
    """Root of the mean over directions of W2^2 of the projections (`sorted_projections`), exact for any n and m."""
    i, j, width = _quantile_steps(x_sorted.shape[1], y_sorted.shape[1])
    gaps = x_sorted[:, i] - y_sorted[:, j]
    return jnp.sqrt(jnp.mean(jnp.sum(jnp.asarray(width, gaps.dtype) * gaps**2, axis=-1)))
