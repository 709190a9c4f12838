"""Clouds seen along directions: on a line, sorting replaces pairs.

A rule for one direction is a function of projections, `[n]` and `[m]` numbers; `along` applies it to every direction and
`field_along` turns speeds along directions into a field in d dimensions.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gmdwgf.pairs import reductions
from gmdwgf.typing import Key, Weights

Directions = Float[Array, "p d"]
"""Unit vectors, one a row."""


def random_directions(key: Key, n: int, dim: int, dtype: Any = float) -> Directions:
    """`n` independent unit vectors, uniform on the sphere; in single precision, so that a key gives the same ones in every dtype."""
    directions = jax.random.normal(key, (n, dim), jnp.float32).astype(dtype)
    return directions / jnp.linalg.norm(directions, axis=-1, keepdims=True)


def stratified_directions(key: Key, n: int, dim: int, dtype: Any = float) -> Directions:
    """`n` unit vectors, each uniform on the sphere, that keep away from one another: a mean over them is nearer that over all.

    In the plane they are pi / n apart, from a random angle (ours); in more dimensions they are frames of `dim` perpendicular
    vectors, each frame uniform (Rowland et al. 2019, Orthogonal Estimation of Wasserstein Distances).
    """
    precise = jnp.promote_types(jax.dtypes.canonicalize_dtype(dtype), jnp.float32)
    if dim == 2:
        turn = jax.random.uniform(key, dtype=jnp.float32).astype(precise)
        angles = jnp.arange(n) * (math.pi / n) + 2 * math.pi * turn
        return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1).astype(dtype)
    drawn = jax.random.normal(key, (-(-n // dim), dim, min(n, dim)), jnp.float32).astype(precise)
    frames, r = jnp.linalg.qr(drawn)
    signs = jnp.where(jnp.diagonal(r, axis1=1, axis2=2) < 0, -1, 1)  # Q is uniform when R has a positive diagonal
    return jnp.swapaxes(frames * signs[:, None], 1, 2).reshape(-1, dim)[:n].astype(dtype)


DRAWS = {"stratified": stratified_directions, "independent": random_directions}
"""How directions may be drawn, by the name it has in a config."""


def mean_abs_cosine(dim: int) -> float:
    """c_d = Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)), with which E|<u, theta>| = c_d |u| for theta uniform on the sphere.

    c_1 = 1, c_2 = 2/pi, c_3 = 1/2, and about sqrt(2 / (pi d)) in many dimensions.
    """
    return math.exp(math.lgamma(dim / 2) - math.lgamma((dim + 1) / 2)) / math.sqrt(math.pi)


def along(rule: Callable[..., Any], directions: Directions, *clouds: Float[Array, "_ d"]) -> Any:
    """`rule` of the projections of all clouds, one answer a direction, stacked.

    The clouds are projected as one, row by row: points that coincide do so along every direction, which is what ties between
    clouds are recognised by, and what a matrix product does not promise.
    """
    points = jnp.concatenate(clouds)
    ends = [sum(cloud.shape[0] for cloud in clouds[: k + 1]) for k in range(len(clouds) - 1)]

    def answer(direction):
        return rule(*jnp.split(jnp.sum(points * direction, axis=-1), ends))

    return reductions.over_points(answer, directions, points.size)


def field_along(
    speed: Callable[..., Array], directions: Directions, *clouds: Float[Array, "_ d"]
) -> Float[Array, "k d"]:
    """Mean over directions theta of speed(projections along theta) theta; keeps `[p k]` speeds, k the number of queries."""
    speeds = along(speed, directions, *clouds)
    return jnp.matmul(speeds.T, directions, precision="highest") / directions.shape[0]


def levels(weights: Weights | None, order: Array, dtype: Any) -> Float[Array, " n"]:
    """Distribution function at the points of a cloud taken in `order`: cumulative masses, the last of them 1."""
    n = order.shape[0]
    cumulative = jnp.arange(1, n + 1, dtype=dtype) if weights is None else jnp.cumsum(weights.astype(dtype)[order])
    return cumulative / cumulative[-1]


def in_order(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """The values sorted, by way of whole numbers in the same order: XLA sorts those five times as fast on a CPU.

    Read as a whole number, a float's bits are in order if it is positive; the rest of a negative one's are turned round.
    """
    whole = {4: jnp.int32, 8: jnp.int64}.get(values.dtype.itemsize)
    if whole is None:
        return jnp.sort(values)
    turned = lambda bits: jnp.where(bits < 0, bits ^ jnp.iinfo(whole).max, bits)
    keys = turned(jax.lax.bitcast_convert_type(values, whole))
    return jax.lax.bitcast_convert_type(turned(jax.lax.sort(keys)), values.dtype)


def mid_distribution(at: Float[Array, " k"], values: Float[Array, " n"], weights: Weights | None) -> Float[Array, " k"]:
    """P(value < at) + P(value = at) / 2 of a sample, by sorting it."""
    if weights is None:
        ordered, below = in_order(values), jnp.arange(values.size + 1, dtype=values.dtype) / values.size
    else:
        order = jnp.argsort(values)
        ordered, below = values[order], jnp.pad(levels(weights, order, values.dtype), (1, 0))
    first, last = (jnp.searchsorted(ordered, at, side=side) for side in ("left", "right"))
    return (below[first] + below[last]) / 2


class Steps(NamedTuple):
    """The optimal plan on the line: step k moves mass `width` from the x of rank `i` to the y of rank `j`."""

    i: Array
    j: Array
    width: Float[Array, " s"]


def monotone_coupling(x_levels: Float[Array, " n"], y_levels: Float[Array, " m"]) -> Steps:
    """The n + m steps, some of width 0, between the levels at which either quantile function jumps."""
    ends = jnp.sort(jnp.concatenate([x_levels, y_levels]))
    return Steps(jnp.searchsorted(x_levels, ends), jnp.searchsorted(y_levels, ends), jnp.diff(ends, prepend=0))


def barycentric_map_1d(
    x_levels: Float[Array, " n"], y_levels: Float[Array, " m"], y_sorted: Float[Array, " m"]
) -> Float[Array, " n"]:
    """Where the optimal plan on the line sends each sorted x, on average.

    That is the mean of the quantile function of y over the levels (A_{i-1}, A_i] which x_i covers, y_i itself when n = m; a
    point without mass goes to the quantile at its level.
    """
    i, j, width = monotone_coupling(x_levels, y_levels)
    mass, moment = (
        jax.ops.segment_sum(w, i, x_levels.size, indices_are_sorted=True) for w in (width, width * y_sorted[j])
    )
    massless = mass == 0
    return jnp.where(massless, y_sorted[jnp.searchsorted(y_levels, x_levels)], moment / jnp.where(massless, 1, mass))
