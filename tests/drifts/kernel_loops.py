"""For drifts made of kernels: slow double loops in NumPy, exact Gaussians as weighted grids, and compiled answers."""

from typing import NamedTuple

import jax
import numpy as np

KEY = jax.random.key(0)


class Profile(NamedTuple):
    """A radial kernel as functions of the distance r: k, its derivative k', and the companion int_r^inf s k(s) ds."""

    k: object
    slope: object
    sharp: object


def profiles(h):
    """The kernels as the papers write them; the companion of imq is without its infinite constant."""
    c = np.sqrt(3) / h
    return {
        "gaussian": Profile(
            lambda r: np.exp(-(r**2) / (2 * h**2)),
            lambda r: -r / h**2 * np.exp(-(r**2) / (2 * h**2)),
            lambda r: h**2 * np.exp(-(r**2) / (2 * h**2)),
        ),
        "laplace": Profile(
            lambda r: np.exp(-r / h), lambda r: -np.exp(-r / h) / h, lambda r: h * (r + h) * np.exp(-r / h)
        ),
        "imq": Profile(
            lambda r: (1 + r**2 / h**2) ** -0.5,
            lambda r: -r / h**2 * (1 + r**2 / h**2) ** -1.5,
            lambda r: -h * np.sqrt(h**2 + r**2),
        ),
        "matern": Profile(
            lambda r: (1 + c * r) * np.exp(-c * r),
            lambda r: -(c**2) * r * np.exp(-c * r),
            lambda r: (r**2 + 3 * r / c + 3 / c**2) * np.exp(-c * r),
        ),
    }


KERNELS = ("gaussian", "laplace", "imq", "matern")


def total_shift(point, cloud, k, skip=None):
    """(sum_j k (c_j - point), sum_j k), leaving out index `skip`."""
    shift, mass = np.zeros(len(point)), 0.0
    for j, c in enumerate(cloud):
        if j != skip:
            weight = k(np.linalg.norm(c - point))
            shift, mass = shift + weight * (c - point), mass + weight
    return shift, mass


def score(point, cloud, k, slope):
    """Gradient of log sum_j k(|point - c_j|), to which a coincident point adds nothing."""
    gradient, mass = np.zeros(len(point)), 0.0
    for c in cloud:
        r = np.linalg.norm(c - point)
        mass += k(r)
        if r > 0:
            gradient = gradient + slope(r) * (point - c) / r
    return gradient / mass


def effective_targets(points, y, k):
    """Mean over `points` of 1 / sum_j w_j^2, w_j the share of target j in the kernel's mass there."""
    masses = np.array([[k(np.linalg.norm(p - c)) for c in y] for p in points])
    return np.mean(masses.sum(1) ** 2 / (masses**2).sum(1))


def score_difference(points, x, y, h):
    """Gaussian Parzen scores, p minus q, at each of `points`."""
    k, slope, _ = profiles(h)["gaussian"]
    return np.array([score(p, y, k, slope) - score(p, x, k, slope) for p in points])


def gaussian_grid(mean, variance, n_nodes=40):
    """Points `[n 1]` and weights whose Gaussian smoothing is that of N(mean, variance): Gauss-Hermite nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    return (mean + np.sqrt(variance) * nodes)[:, None], weights / weights.sum()


@jax.jit
def answer(drift, x, y, at=None, x_weights=None, y_weights=None, key=KEY):
    """Velocities and info, compiled once for each structure of the drift and each size of the clouds."""
    return drift.velocity(x, y, key, at=at, x_weights=x_weights, y_weights=y_weights)


def repetitions(x, y):
    """How often to repeat each point, as whole numbers and as the weights that must mean the same."""
    a, b = np.arange(len(x)) % 2 + 1, np.arange(len(y)) % 3 + 1
    return (a, b), (a.astype(float), b.astype(float))


def assert_weights_act_as_repeated_points(drift, x, y, atol=1e-10):
    """The field at the particles is the same from weighted clouds as from clouds with repeated points."""
    (a, b), (x_weights, y_weights) = repetitions(x, y)
    weighted = answer(drift, x, y, None, x_weights, y_weights).v
    repeated = answer(drift, np.repeat(x, a, axis=0), np.repeat(y, b, axis=0), x).v
    np.testing.assert_allclose(weighted, repeated, atol=atol)
