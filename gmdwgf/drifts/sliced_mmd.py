"""Wasserstein gradient flow of half the sliced energy distance, by sorting (zoo Z11)."""

import jax.numpy as jnp

from gmdwgf.drifts.base import Tags
from gmdwgf.drifts.sliced import AbstractSlicedDrift
from gmdwgf.pairs import slicing


class SlicedMMDDrift(AbstractSlicedDrift):
    """The energy drift (`mmd` with kernel -|x - y|) along random directions, in O((n + m) log(n + m)) each.

        v(x) = mean_theta 2 (F_q(<x, theta>) - F_p(<x, theta>)) theta / c_d,

    F_q and F_p the distribution functions of the projected clouds at mid-ranks (a tie counts half), theta uniform on the sphere
    and c_d = E|<u, theta>| / |u| = Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)). Divided by c_d, v is exactly the energy drift over
    all pairs in expectation over the directions, in every dimension; without it, it would be c_d (2/pi in the plane) times that.
    `directions` are drawn `stratified` (equal angles in the plane, perpendicular frames beyond: `slicing.stratified_directions`) or
    `independent`, with an error of some sqrt(d / n_projections) of |v|. In the plane 16 that are stratified come nearer than 64
    independent ones, where the clouds overlap already 4.

    Flow of: half the squared MMD of -|x - y|, in expectation; at the directions drawn, of `functional_along` them, exactly.
    Long range, and no bandwidth. Units: v has none. The field at `at` is the same formula. Fresh directions are drawn from the
    key every step; rotating the clouds rotates v in law only.
    Self term: the particle itself is kept (as a tie with itself it pulls nowhere).
    Choose: `mmd` energy for large batches.
    Fails: noise of the directions: fewer than d, even perpendicular ones, leave about sqrt(d / n_projections) of |v|, so that
    beyond 16 dimensions the default wants raising.
    Cost: O(n_projections (n + m) (d + log(n + m))); no pairs. Frames take O(n_projections d min(d, n_projections)) more.
    Source: Hertrich et al. 2023 (arXiv:2305.11463); that the energy kernel is its own slice, in the scale used here, too.
    """

    def speed(self, on_x, on_y, on_queries, x_weights, y_weights):
        """2 (F_q - F_p) at the queries, by mid-ranks."""
        on_queries = on_x if on_queries is None else on_queries
        f_q, f_p = (slicing.mid_distribution(on_queries, on, w) for on, w in ((on_x, x_weights), (on_y, y_weights)))
        return 2 * (f_q - f_p)

    def functional(self, on_x, on_y):
        """The integral of (F_q - F_p)^2."""
        values = jnp.concatenate([on_x, on_y])
        order = jnp.argsort(values)
        jumps = jnp.where(order < on_x.size, 1 / on_x.size, -1 / on_y.size)
        return jnp.sum(jnp.cumsum(jumps)[:-1] ** 2 * jnp.diff(values[order]))

    def factor(self, dim):
        """1 / c_d."""
        return 1 / slicing.mean_abs_cosine(dim)

    def tags(self) -> Tags:
        flow = "MMD^2(q, p) / 2 of -|x - y|, along the directions drawn"
        return Tags(zero_at_equality=True, curl_free=True, flow_of=flow, reach="long", rotation=False)
