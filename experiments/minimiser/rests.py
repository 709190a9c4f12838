"""All places of rest of a condition E[J^T v] = 0, from many starts, with their stability; and the argmin of a functional."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from experiments.common.mixtures import GaussianMixture
from experiments.minimiser.fields import CONDITIONS, FUNCTIONALS, Nodes
from experiments.minimiser.laws import Family, nodes, setting
from gmdwgf.typing import Array

AT_REST = 1e-6
"""Length of E[J^T v] below which a member is at rest; quadratures in the plane are exact to about 1e-8."""
SAME = {1: 1e-4, 2: 1e-4, 8: 1e-2}
"""Largest difference of the moments of two solutions that are one, by dimension: beyond 2 sums have errors of their own."""
COLLAPSED = 1e-3
"""Least deviation in any direction, below which a law is a point or a line: rests of every field, which splitting leaves."""
FARTHEST = 10.0
"""Largest parameter: beyond it the kernel does not reach, and a local field is zero without being at rest."""


def starts_of(name: str, law: GaussianMixture, family: Family) -> np.ndarray:
    """Members to start from: a grid on the line; elsewhere the target's mean and covariance, 4 of its components, 3 drawn."""
    if name == "line":
        grid = np.meshgrid(np.linspace(-1.8, 1.8, 13), (0.1, 0.25, 0.5, 1.0, 1.6, 2.4), indexing="ij")
        return np.stack([axis.ravel() for axis in grid], axis=1)
    masses, centres, covariances = (np.asarray(part) for part in (law.masses, law.centres, law.covariances))
    mean = masses @ centres
    away = centres - mean
    whole = np.einsum("k,kde->de", masses, covariances) + np.einsum("k,kd,ke->de", masses, away, away)
    rng = np.random.default_rng(1)
    laws = [(mean, whole), *zip(centres[:4], covariances[:4], strict=True)]
    laws += [(mean + rng.normal(size=family.dim), (scale**2) * np.eye(family.dim)) for scale in (0.3, 0.8, 1.6)]
    member = lambda centre, c: family.pack(jnp.asarray(centre), jnp.asarray(np.linalg.cholesky(_of(family, c))))
    return np.asarray([member(*one) for one in laws])


def _of(family: Family, covariance: np.ndarray) -> np.ndarray:
    return np.diag(np.diag(covariance)) if family.diagonal else covariance


@partial(jax.jit, static_argnames=("name", "family"))
def solved(name: str, family: Family, law: GaussianMixture, h: Array, points: Nodes, starts: Array):
    """Levenberg-Marquardt steps on E[J^T v] from every start: where they end, what is left, and the Jacobian there.

    Steps change c and the lower triangle of W, which say all of the law: for a field without curl E[v z^T] is a symmetric matrix
    times W, and is zero with its lower triangle.
    """
    kept = jnp.asarray(family.lower())
    whole = lambda theta: CONDITIONS[name](theta, family, law, h, points)

    def both(lower):
        value, push = jax.linearize(lambda x: whole(jnp.zeros(starts.shape[1]).at[kept].set(x))[kept], lower)
        return value, jax.vmap(push)(jnp.eye(lower.size)).T

    def step(carry):
        theta, (value, jacobian), damping, n_steps = carry
        normal = jacobian.T @ jacobian
        lifted = normal + damping * (jnp.trace(normal) / theta.size + 1e-12) * jnp.eye(theta.size)
        tried = theta - jnp.linalg.solve(lifted, jacobian.T @ value)
        there = both(tried)
        better = jnp.linalg.norm(there[0]) < jnp.linalg.norm(value)
        moved = jax.tree.map(partial(jnp.where, better), (tried, there), (theta, (value, jacobian)))
        return *moved, jnp.where(better, damping / 8, damping * 4), n_steps + 1

    def goes_on(carry):
        theta, (value, _), damping, n_steps = carry
        near = jnp.max(jnp.abs(theta)) < FARTHEST
        return (jnp.linalg.norm(value) > 1e-12) & (n_steps < 50) & (damping < 1e6) & near

    def one(start):
        lower, *_ = jax.lax.while_loop(goes_on, step, (start[kept], both(start[kept]), jnp.asarray(1e-3), 0))
        theta = jnp.zeros(start.size).at[kept].set(lower)
        value, push = jax.linearize(whole, theta)
        return theta, jnp.linalg.norm(value), jax.vmap(push)(jnp.eye(theta.size)).T

    return jax.lax.map(one, starts)


def rests(setting_name: str, drift: str, h: float) -> list[dict[str, Any]]:
    """The laws at rest that are no collapse, each with its growth rate: the largest real part of an eigenvalue of the Jacobian.

    Starts are followed on few nodes, and the different ends on many. Negative rates are stable.
    """
    with jax.enable_x64(True):
        law, family = setting(setting_name)
        starts = starts_of(setting_name, law, family)
        if family.dim > 1:
            points = nodes(family.dim, False)
            theta, left, _ = solved(drift, family, law, jnp.asarray(h), points, jnp.asarray(starts))
            starts = np.asarray(theta)[np.asarray(left) < 100 * AT_REST]
            starts = starts[_different(family, starts)]
    return rests_from(setting_name, drift, h, starts)


def rests_from(setting_name: str, drift: str, h: float, starts: np.ndarray) -> list[dict[str, Any]]:
    """The different rests that the starts lead to on many nodes."""
    with jax.enable_x64(True):
        law, family = setting(setting_name)
        shape = (len(starts_of(setting_name, law, family)) if family.dim == 1 else 1, starts.shape[1])
        ends = []
        for i in range(0, len(starts), shape[0]):  # always of one shape, so that nothing is compiled anew
            begin = jnp.asarray(np.resize(starts[i : i + shape[0]], shape))
            ends.append(solved(drift, family, law, jnp.asarray(h), nodes(family.dim, True), begin))
        if not ends:
            return []
        theta, left, jacobian = (np.concatenate(part) for part in zip(*ends, strict=True))
        return [
            {
                "theta": _canonical(family, theta[i]).tolist(),
                "moments": family.moments(theta[i]).tolist(),
                "rate": growth(family, jacobian[i]),
            }
            for i in _different(family, theta)
            if left[i] < AT_REST
        ]


def population(name: str, drift: str, h: float) -> dict[str, Any]:
    """All rests of a drift, each with its functional there and its distance from the argmin of that functional, and the argmin.

    The argmin is a start too: a rest near to it is not missed.
    """
    family, found = setting(name).family, rests(name, drift, h)
    least = argmin(name, drift, h, [one["theta"] for one in found])
    for one in rests_from(name, drift, h, np.asarray([least["theta"]])):
        if all(distance(family, one["theta"], other["theta"]) > 1e-3 for other in found):
            found.append(one)
    for one in found:
        one["value"] = value(name, drift, h, one["theta"])
        one["distance"] = distance(family, one["theta"], least["theta"])
    return {"rests": found, "argmin": least}


def growth(family: Family, jacobian: np.ndarray) -> float:
    """Largest real part of an eigenvalue, without the zeros of the directions in which the law does not change."""
    eigenvalues = np.linalg.eigvals(jacobian)
    eigenvalues = eigenvalues[np.argsort(np.abs(eigenvalues))[family.n_symmetries :]]
    return float(np.max(eigenvalues.real))


def argmin(setting_name: str, drift: str, h: float, more: list[list[float]], seed: int = 1) -> dict[str, Any]:
    """The least local minimum of the functional that is reached from some of the starts and from the members `more`.

    In d > 2 the nodes are other ones than those of the rests (`seed`), so that agreement shows the error of both.
    """
    with jax.enable_x64(True):
        law, family = setting(setting_name)
        ask = partial(_value_and_gradient, drift, family, law, jnp.asarray(h))
        coarse, fine = nodes(family.dim, False, seed), nodes(family.dim, True, seed)
        begin = starts_of(setting_name, law, family)
        begin = [*begin[:: max(len(begin) // 8, 1)], *map(np.asarray, more)]
        descend = lambda start, points: minimize(
            lambda theta: tuple(np.asarray(part) for part in ask(points, jnp.asarray(theta))),
            start,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-9},
        )
        ends = [descend(start, coarse) for start in begin]
        best = descend(min(ends, key=lambda end: end.fun).x, fine)
        theta = _canonical(family, best.x)
        return {"theta": theta.tolist(), "moments": family.moments(theta).tolist(), "value": float(best.fun)}


@partial(jax.jit, static_argnames=("drift", "family"))
def _value_and_gradient(drift, family, law, h, points, theta):
    return jax.value_and_grad(lambda theta: FUNCTIONALS[drift](theta, family, law, h, points))(theta)


def value(setting_name: str, drift: str, h: float, theta: list[float]) -> float:
    """The functional of `drift` at a member."""
    with jax.enable_x64(True):
        law, family = setting(setting_name)
        points = nodes(family.dim, True, 1)
        return float(_value_and_gradient(drift, family, law, jnp.asarray(h), points, jnp.asarray(theta))[0])


def _different(family: Family, thetas: np.ndarray) -> list[int]:
    """Places of the solutions, one for every law, without collapses and escapes, in the order of their moments."""
    found: dict[int, np.ndarray] = {}
    for i, theta in enumerate(thetas):
        matrix = np.asarray(family.unpack(jnp.asarray(theta))[1])
        if not np.max(np.abs(theta)) < FARTHEST or np.linalg.svd(matrix, compute_uv=False).min() < COLLAPSED:
            continue
        moments = family.moments(theta)
        if all(np.max(np.abs(moments - other)) > SAME[family.dim] for other in found.values()):
            found[i] = moments
    return sorted(found, key=lambda i: tuple(np.round(found[i], 6)))


def _canonical(family: Family, theta: np.ndarray) -> np.ndarray:
    """The member of the same law whose matrix is lower triangular with a positive diagonal."""
    centre, matrix = (np.asarray(part) for part in family.unpack(jnp.asarray(theta)))
    return np.asarray(family.pack(jnp.asarray(centre), jnp.asarray(np.linalg.cholesky(matrix @ matrix.T))))


def distance(family: Family, a: list[float], b: list[float]) -> float:
    """Wasserstein distance of two members over the root of the trace of b's covariance: how far apart, in widths of b."""
    from scipy.linalg import sqrtm

    (c_a, m_a), (c_b, m_b) = ([np.asarray(part) for part in family.unpack(jnp.asarray(theta))] for theta in (a, b))
    cov_a, cov_b = m_a @ m_a.T, m_b @ m_b.T
    root = np.real(np.asarray(sqrtm(cov_b)))
    cross = np.real(np.asarray(sqrtm(root @ cov_a @ root)))
    squared = np.sum((c_a - c_b) ** 2) + np.trace(cov_a + cov_b - 2 * cross)
    return float(np.sqrt(max(squared, 0.0) / np.trace(cov_b)))


def surface(name: str, h: float, centres: list[float], widths: list[float]) -> list[list[float]]:
    """KL(k * q || k * p) of c + w z on a grid, a row for each w."""
    with jax.enable_x64(True):
        law, family = setting(name)
        points, bandwidth = nodes(family.dim, True), jnp.asarray(h)
        ask = lambda theta: FUNCTIONALS["kl"](theta, family, law, bandwidth, points)
        grid = jnp.stack(jnp.meshgrid(jnp.asarray(centres), jnp.asarray(widths)), axis=-1)
        return np.asarray(jax.jit(lambda g: jax.lax.map(jax.vmap(ask), g))(grid)).tolist()
