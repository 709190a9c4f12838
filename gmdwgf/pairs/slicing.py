"""Projections of clouds onto directions, where sorting replaces sums over pairs.

A rule for one direction is a function of projections `[n]` and `[m]`; `along` maps it over directions, and `field_along` averages
speeds along directions to a velocity in d dimensions.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from gmdwgf.pairs import reductions
from gmdwgf.typing import Key, PyTree, Weights

Directions = Float[Array, "p d"]
"""Unit vectors, one per row."""


def random_directions(key: Key, n: int, dim: int, dtype: DTypeLike = float) -> Directions:
    """Draw `n` independent uniform unit vectors, in single precision, so that a key gives the same vectors for every dtype."""
    directions = jax.random.normal(key, (n, dim), jnp.float32).astype(dtype)
    return directions / jnp.linalg.norm(directions, axis=-1, keepdims=True)


def stratified_directions(key: Key, n: int, dim: int, dtype: DTypeLike = float) -> Directions:
    """Draw `n` stratified unit vectors, each uniform on the sphere, whose means have a smaller variance than independent ones.

    In the plane they are pi / n apart, from a random angle (ours); in higher dimensions they are orthonormal frames of `dim`
    vectors, each frame uniform (Rowland et al. 2019).
    """
    precise = jnp.promote_types(jax.dtypes.canonicalize_dtype(dtype), jnp.float32)
    if dim == 2:
        turn = jax.random.uniform(key, dtype=jnp.float32).astype(precise)
        angles = jnp.arange(n) * (math.pi / n) + 2 * math.pi * turn
        return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1).astype(dtype)
    drawn = jax.random.normal(key, (-(-n // dim), dim, min(n, dim)), jnp.float32).astype(precise)
    frames, r = jnp.linalg.qr(drawn)
    signs = jnp.where(jnp.diagonal(r, axis1=1, axis2=2) < 0, -1, 1)  # Q is uniform if the diagonal of R is positive
    return jnp.swapaxes(frames * signs[:, None], 1, 2).reshape(-1, dim)[:n].astype(dtype)


DRAWS = {"stratified": stratified_directions, "independent": random_directions}
"""Samplers of directions, by their names in a config."""


def mean_abs_cosine(dim: int) -> float:
    """c_d = Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)), with which E|<u, theta>| = c_d |u| for theta uniform on the sphere.

    c_1 = 1, c_2 = 2/pi, c_3 = 1/2, and about sqrt(2 / (pi d)) for large d.
    """
    return math.exp(math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2)) / math.sqrt(math.pi)


def along(rule: Callable[..., PyTree], directions: Directions, *clouds: Float[Array, "_ d"]) -> PyTree:
    """Apply `rule` to the projections of all clouds onto each direction; results are stacked.

    The clouds are concatenated and projected row by row, so that coincident points have equal projections, which a matrix product
    does not guarantee. Ties between clouds depend on this.
    """
    points = jnp.concatenate(clouds)
    ends = [sum(cloud.shape[0] for cloud in clouds[: k + 1]) for k in range(len(clouds) - 1)]

    def answer(direction):
        return rule(*jnp.split(jnp.sum(points * direction, axis=-1), ends))

    return reductions.over_points(answer, directions, points.size)


def field_along(
    speed: Callable[..., Array], directions: Directions, *clouds: Float[Array, "_ d"]
) -> Float[Array, "k d"]:
    """Mean over directions theta of speed(projections onto theta) theta; stores speeds `[p k]`, k the number of queries."""
    speeds = along(speed, directions, *clouds)
    return jnp.matmul(speeds.T, directions, precision="highest") / directions.shape[0]


def levels(weights: Weights | None, order: Array, dtype: DTypeLike) -> Float[Array, " n"]:
    """Distribution function at the points of a cloud in `order`: cumulative masses, the last of which is 1."""
    n = order.shape[0]
    cumulative = jnp.arange(1, n + 1, dtype=dtype) if weights is None else jnp.cumsum(weights.astype(dtype)[order])
    return cumulative / cumulative[-1]


def in_order(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """Sort floats through an order-preserving map to integers, which XLA sorts five times as fast on a CPU.

    The bits of positive floats, read as integers, have the same order; for negative floats the bits other than the sign are inverted.
    """
    whole = {4: jnp.int32, 8: jnp.int64}.get(values.dtype.itemsize)
    if whole is None:
        return jnp.sort(values)
    turned = lambda bits: jnp.where(bits < 0, bits ^ jnp.iinfo(whole).max, bits)
    keys = turned(jax.lax.bitcast_convert_type(values, whole))
    return jax.lax.bitcast_convert_type(turned(jax.lax.sort(keys)), values.dtype)


def mid_distribution(at: Float[Array, " k"], values: Float[Array, " n"], weights: Weights | None) -> Float[Array, " k"]:
    """Mid-rank distribution function of a sample, P(value < at) + P(value = at) / 2, by sorting."""
    if weights is None:
        ordered, below = in_order(values), jnp.arange(values.size + 1, dtype=values.dtype) / values.size
    else:
        order = jnp.argsort(values)
        ordered, below = values[order], jnp.pad(levels(weights, order, values.dtype), (1, 0))
    first, last = (jnp.searchsorted(ordered, at, side=side) for side in ("left", "right"))
    return (below[first] + below[last]) / 2


class Steps(NamedTuple):
    """Optimal transport plan on the line: step k moves the mass `width` from the x of rank `i` to the y of rank `j`."""

    i: Array
    j: Array
    width: Float[Array, " s"]


def monotone_coupling(x_levels: Float[Array, " n"], y_levels: Float[Array, " m"]) -> Steps:
    """Monotone coupling as n + m steps, some of width 0, between the levels at which either quantile function jumps."""
    ends = jnp.sort(jnp.concatenate([x_levels, y_levels]))
    return Steps(jnp.searchsorted(x_levels, ends), jnp.searchsorted(y_levels, ends), jnp.diff(ends, prepend=0))


def barycentric_map_1d(
    x_levels: Float[Array, " n"], y_levels: Float[Array, " m"], y_sorted: Float[Array, " m"]
) -> Float[Array, " n"]:
    """Barycentric map of the optimal plan on the line, for sorted x.

    The image of x_i is the mean of the quantile function of y over the levels (A_{i-1}, A_i] of x_i, which is y_i when n = m. A
    point without mass maps to the quantile at its level.
    """
    i, j, width = monotone_coupling(x_levels, y_levels)
    mass, moment = (
        jax.ops.segment_sum(w, i, x_levels.size, indices_are_sorted=True) for w in (width, width * y_sorted[j])
    )
    massless = mass == 0
    return jnp.where(massless, y_sorted[jnp.searchsorted(y_levels, x_levels)], moment / jnp.where(massless, 1, mass))
