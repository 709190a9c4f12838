"""Reductions over all pairs of two clouds, written for one point and applied to all of them in tiles.

A reduction is a function of one point (and of everything in the other cloud); `over_points` applies it to every row of a
cloud. Small problems run as one dense block; beyond `DENSE_PAIRS` pairs the rows go through in tiles, so that no array of
size n x m is ever kept. Under a mesh (`jax.set_mesh`) with an axis `data` every device takes its share of the rows and sees
all of the other cloud: the answer is that of one device, to rounding.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float

from gmdwgf.typing import Particles, Point, Scalar, Targets, Weights

DATA = "data"
"""The axis of a device mesh over which particles are spread."""

DENSE_PAIRS = 1 << 20
"""Up to this many pairs a reduction is one dense block."""

TILE_PAIRS = 1 << 20
"""Pairs in a tile of a streamed reduction, 4 MB in float32: more leave the cache, fewer do not pay for the calls.

Both were measured on a CPU (`scripts/benchmarks/drifts.py --tiles`), where dense blocks fall behind beyond a single tile.
`tiles` sets other limits for a block of code.
"""

ACCELERATOR_FACTOR = 64
"""Tiles and dense blocks are so many times as large on a GPU or TPU: it wants many rows at once (measured on an H100)."""

_FEW_COORDINATES = 16
"""Up to this dimension distances are sums of squared differences, exact near zero; beyond it one matrix product."""


_limits: ContextVar[tuple[int, int] | None] = ContextVar("limits", default=None)


@contextlib.contextmanager
def tiles(dense_pairs: int, tile_pairs: int) -> Iterator[None]:
    """Set other limits, the same on every platform, for what is traced in the block."""
    token = _limits.set((dense_pairs, tile_pairs))
    try:
        yield
    finally:
        _limits.reset(token)


def limits() -> tuple[int, int]:
    """The largest number of pairs in a dense block, and in a tile, on this platform."""
    return _limits.get() or (platform_factor() * DENSE_PAIRS, platform_factor() * TILE_PAIRS)


def full_precision(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with every product of matrices in the precision of its factors.

    GPUs and TPUs would otherwise round float32 to 10 bits (TF32) or 7 (bfloat16) before they multiply: harmless in a network,
    but a barycentre, a difference of two such products, would be off by as much of the distance between points.
    """

    @functools.wraps(function)
    def precise(*args, **kwargs):
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return precise


def over_points(reduction: Callable[..., Any], rows: Any, n_columns: int) -> Any:
    """`vmap(reduction)` over the leading axis of `rows` (a pytree), in tiles when there are many pairs.

    `n_columns` is how many numbers one call of `reduction` works on at once: m for a reduction over m targets.
    """
    return over_devices(lambda share: _in_tiles(reduction, share, n_columns), rows)


@full_precision
def over_devices(function: Callable[[Any], Any], rows: Any) -> Any:
    """`function(rows)`, where `function` treats rows one by one: each device of the mesh does its share of them.

    Without a mesh, within another such call, or where the devices do not divide the rows, it is done here, whole.
    """
    mesh = jax.sharding.get_abstract_mesh()
    spread = DATA in mesh.axis_names and not mesh.manual_axes
    if not spread or jax.tree.leaves(rows)[0].shape[0] % mesh.shape[DATA]:
        return function(rows)
    shares = PartitionSpec(DATA)
    return jax.shard_map(function, mesh=mesh, in_specs=(shares,), out_specs=shares)(rows)


def _in_tiles(reduction: Callable[..., Any], rows: Any, n_columns: int) -> Any:
    n_rows = jax.tree.leaves(rows)[0].shape[0]
    dense_pairs, tile_pairs = limits()
    if n_rows * n_columns <= dense_pairs:
        return jax.vmap(reduction)(rows)
    tile = min(n_rows, max(8, tile_pairs // n_columns))
    return jax.lax.map(reduction, rows, batch_size=tile)


def platform_factor() -> int:
    """How many times as much is done at once on this platform as on a CPU."""
    return 1 if _on_cpu() or _limits.get() is not None else ACCELERATOR_FACTOR


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


def materialize(rows: Array) -> Array:
    """The same numbers, computed once and stored (a hint, for speed alone).

    On CPUs XLA hands sums, maxima and products to a library, together with the arithmetic in front of them. What is broadcast
    there is written out first, and what has two users is computed twice. Neither crosses this comparison, which never holds.
    Elsewhere nothing is asked for: a GPU makes a number twice sooner than it stores it.
    """
    if not _on_cpu():
        return rows
    return jnp.where(rows > jnp.finfo(rows.dtype).max, jnp.inf, rows)


def squared_distances(point: Point, y: Targets) -> Float[Array, " m"]:
    """|point - y_j|^2 for all j, without an [m d] array of differences.

    In many dimensions the expanded square is used, which is exact only relative to |point|^2: centre the clouds first.
    """
    d = y.shape[-1]
    if d <= _FEW_COORDINATES:
        return sum(((point[k] - y[:, k]) ** 2 for k in range(d)), start=jnp.zeros(y.shape[0], y.dtype))
    expanded = jnp.sum(point**2) + jnp.sum(y**2, axis=-1) - 2 * (y @ point)
    return jnp.maximum(expanded, 0.0)


def combination(weights: Float[Array, " m"], y: Targets) -> Point:
    """sum_j weights_j y_j.

    A CPU takes it as a product of matrices. Elsewhere, in few dimensions, it is sums that the weights are made for on the
    way, so that none of them is stored.
    """
    if _on_cpu() or y.shape[-1] > _FEW_COORDINATES:
        return weights @ y
    return jnp.stack([jnp.sum(weights * y[:, k]) for k in range(y.shape[-1])])


def weighted_differences(weights: Float[Array, " m"], point: Point, y: Targets) -> Point:
    """sum_j weights_j (y_j - point).

    In few dimensions it is taken from the differences themselves: large weights at short range would cancel otherwise.
    """
    d, weights = y.shape[-1], materialize(weights)
    if d <= _FEW_COORDINATES:
        return jnp.stack([jnp.sum(materialize(weights * (y[:, k] - point[k]))) for k in range(d)])
    return weights @ y - jnp.sum(weights) * point


def centred(x: Particles, y: Targets, *others: Array) -> tuple[Array, ...]:
    """All clouds moved together so that `y` has nearly mean zero: nothing changes but rounding.

    The mean is rounded to 12 bits. Otherwise the compiler may fuse its last multiplication into one use of it and not into
    another; points that coincide would then lie a rounding error apart, where the gradient of |x - y| is not zero but one.
    """
    centre = jax.lax.reduce_precision(jnp.mean(y, axis=0), exponent_bits=8, mantissa_bits=12)
    return tuple(cloud - centre for cloud in (x, y, *others))


def log_masses(weights: Weights | None, cloud: Particles) -> Float[Array, " n"]:
    """Log of the masses of a cloud, normalised to sum to one; uniform when `weights` is None."""
    n = cloud.shape[0]
    if weights is None:
        return jnp.full(n, -jnp.log(float(n)), cloud.dtype)
    return jnp.log(weights) - jnp.log(jnp.sum(weights))


def masses(weights: Weights | None, cloud: Particles) -> Float[Array, " n"]:
    """Masses of a cloud, normalised to sum to one; uniform when `weights` is None."""
    return jnp.exp(log_masses(weights, cloud))


class Softmax(NamedTuple):
    """The softmax of some logits as exponentials that are not divided by their sum yet: sums of them are, which is cheaper."""

    exponentials: Float[Array, " m"]
    """exp(logits - peak), all zero when every candidate is masked out with -inf."""
    total: Scalar
    peak: Scalar

    @property
    def weights(self) -> Float[Array, " m"]:
        """The softmax itself; zeros, not NaN, when every candidate is masked out."""
        return self.exponentials / self._divisor

    def mean(self, y: Targets) -> Point:
        """sum_j weights_j y_j."""
        return combination(self.exponentials, y) / self._divisor

    @property
    def mass(self) -> Scalar:
        """Sum of the weights: 1, or 0 when every candidate is masked out."""
        return self.total / self._divisor

    @property
    def effective(self) -> Scalar:
        """1 / sum_j weights_j^2: how many candidates count."""
        return self.total**2 / jnp.sum(self.exponentials**2)

    @property
    def log_sum(self) -> Scalar:
        """log sum_j exp(logits_j), -inf when every candidate is masked out."""
        return self.peak + jnp.log(self.total)

    @property
    def _divisor(self) -> Scalar:
        return jnp.where(self.total > 0, self.total, 1.0)


def softmax(logits: Float[Array, " m"]) -> Softmax:
    """Softmax of logits, any of which may be -inf."""
    logits = materialize(logits)
    peak = jax.lax.stop_gradient(jnp.max(logits))
    peak = jnp.where(jnp.isfinite(peak), peak, 0.0)
    exponentials = materialize(jnp.exp(logits - peak))
    return Softmax(exponentials, jnp.sum(exponentials), peak)


def softmax_weights(logits: Float[Array, " m"]) -> Float[Array, " m"]:
    """Softmax that gives zeros, not NaN, when every candidate is masked out with -inf."""
    return softmax(logits).weights


def log_sum_exp(logits: Float[Array, " m"]) -> Scalar:
    """log sum_j exp(logits_j), -inf when every candidate is masked out."""
    return softmax(logits).log_sum


def self_term_mask(self_term: str, index: Array, n: int) -> Array:
    """Which of the `n` particles particle `index` is repelled by, as a mask `[n]`.

    `keep`: all, itself included. `leave_one_out`: all but itself. `two_batch`: those in the other half of the batch, so
    that the two halves serve as each other's independent sample of the model (ours; with one particle nothing is left).
    """
    candidate = jnp.arange(n)
    if self_term == "leave_one_out":
        return candidate != index
    if self_term == "two_batch":
        return (candidate < n // 2) != (index < n // 2)
    return jnp.ones(n, bool)


def half_mmd2(profile: Callable[[Array], Array], x: Particles, y: Targets) -> Array:
    """Half the squared MMD between the empirical laws (V-statistic) of a kernel given by its profile in |x - y|^2."""

    def mean_kernel(left, right):
        row = lambda point: jnp.mean(profile(squared_distances(point, right)))
        return jnp.mean(over_points(row, left, right.shape[0]))

    return mean_kernel(x, x) / 2 - mean_kernel(x, y) + mean_kernel(y, y) / 2
