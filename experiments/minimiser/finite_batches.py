"""The rest of `kl` at a finite batch, exactly: the expected velocity over batches, without a single draw.

A batch's mean shift is h^2 grad log D(x), D(x) = sum_j k(x, X_j), and by Frullani's integral

    E log D      = int (e^-t - L(t)^n) dt / t,              L(t) = E exp(-t k(x, X)),
    E log(1 + D) = int e^-t (1 - L(t)^n) dt / t             (the particle itself is the 1),

so that everything rests on L, one integral over the distance of x and X. With p = N(0, I) and q = N(0, a I) in d dimensions, both
are functions of r = |x|, and the family x = w z rests where E_q[x . grad phi] = E_q[phi (r^2 / a - d)] is zero, phi the difference
of the two potentials (integration by parts).
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.interpolate import BarycentricInterpolator
from scipy.optimize import root_scalar
from scipy.special import ive

SELF_TERMS = ("keep", "leave_one_out", "two_batch")


SIZES = tuple(2**k for k in range(4, 21))
"""Batch sizes."""
VARIANCES = 0.2 * 12 ** ((1 - np.cos(np.pi * (np.arange(14) + 0.5) / 14)) / 2)
"""Chebyshev nodes between which the push is interpolated."""


class Tables(NamedTuple):
    """Nodes and weights of log t, of R = |x - X| and of r = |x|, and 1 - exp(-t k(R)) `[t R]`."""

    log_t: np.ndarray
    steps: np.ndarray
    distances: np.ndarray
    of_distances: np.ndarray
    r: np.ndarray
    of_r: np.ndarray
    hit: np.ndarray


@cache
def legendre(n: int, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on (0, end)."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return end * (nodes + 1) / 2, end * weights / 2


@cache
def tables(d: int, h: float) -> Tables:
    width = np.sqrt(VARIANCES.max())
    r, of_r = legendre(100 + 2 * d, width * (np.sqrt(max(d - 1, 0)) + 6.5))
    distances, of_distances = legendre(900, r[-1] + np.sqrt(d) + 6)
    log_t = np.concatenate([np.arange(-28, 12, 0.25), 12 * 1.04 ** np.arange(200)])
    log_t = log_t[log_t < distances[-1] ** 2 / (2 * h**2) + 5]
    with np.errstate(over="ignore"):
        hit = -np.expm1(-np.exp(log_t[:, None] - distances**2 / (2 * h**2)))
    return Tables(log_t, np.gradient(log_t), distances, of_distances, r, of_r, hit)


def log_missed(d: int, h: float, a: float) -> np.ndarray:
    """log L(t), `[r t]`, for X from N(0, a I): the density of |X - x| is a Bessel function of the first kind."""
    made = tables(d, h)
    order, R, r = d / 2 - 1, made.distances[None], made.r[:, None]
    with np.errstate(divide="ignore"):
        log = (order + 1) * np.log(R) - order * np.log(r) - (R - r) ** 2 / (2 * a) + np.log(ive(order, R * r / a))
    weights = made.of_distances * np.exp(log - log.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.log1p(-np.minimum(weights @ made.hit.T, 1 - 1e-16))


def log_sum(d: int, h: float, missed: np.ndarray, n: int, itself: bool) -> np.ndarray:
    """E log D of n points at every r, or E log(1 + D); up to a constant that is one for all r."""
    none_near = np.exp(n * missed)
    decay = np.exp(-np.exp(np.minimum(tables(d, h).log_t, 50)))
    return (decay * (1 - none_near) if itself else decay - none_near) @ tables(d, h).steps


def mean_push(d: int, h: float, a: float, phi: np.ndarray) -> float:
    """E_q[x . grad phi] / d."""
    r = tables(d, h).r
    log_density = (d - 1) * np.log(r) - r**2 / (2 * a)
    weights = tables(d, h).of_r * np.exp(log_density - log_density.max())
    return float(weights / weights.sum() @ (phi * (r**2 / a - d)) / d)


def exact_rests(d: int, h: float) -> dict[str, list[float]]:
    """The variance at which `kl` rests on N(0, I) with n particles and n targets, by self term, for all `SIZES`.

    NaN where it is outside of the nodes.
    """
    targets, models = log_missed(d, h, 1.0), [log_missed(d, h, a) for a in VARIANCES]
    attraction = {n: log_sum(d, h, targets, n, False) for n in SIZES}
    found: dict[str, list[float]] = {}
    for term in SELF_TERMS:
        found[term] = []
        for n in SIZES:
            others = n // 2 if term == "two_batch" else n - 1
            repulsion = [log_sum(d, h, missed, others, term == "keep") for missed in models]
            pushes = [mean_push(d, h, a, attraction[n] - phi) for a, phi in zip(VARIANCES, repulsion, strict=True)]
            at = BarycentricInterpolator(np.log(VARIANCES), pushes)
            low, high = np.log(VARIANCES.min()), np.log(VARIANCES.max())
            inside = at(low) * at(high) < 0
            found[term].append(
                float(np.exp(root_scalar(at, bracket=(low, high), xtol=1e-12).root)) if inside else float("nan")
            )
    return found


def exponents(sizes: Sequence[int], variances: Sequence[float]) -> np.ndarray:
    """Slope of log |a - 1| against log n between neighbouring sizes."""
    return np.diff(np.log(np.abs(np.asarray(variances) - 1))) / np.diff(np.log(sizes))
