"""Wasserstein gradient flow of half the sliced energy distance, by sorting (arXiv:2305.11463)."""

import jax.numpy as jnp

from gmdwgf.drifts.base import Tags
from gmdwgf.drifts.sliced import AbstractSlicedDrift
from gmdwgf.pairs import slicing


class SlicedMMDDrift(AbstractSlicedDrift):
    """Energy drift (`mmd` with kernel -|x - y|) along random directions, each in O((n + m) log(n + m)).

        v(x) = mean_theta 2 (F_q(<x, theta>) - F_p(<x, theta>)) theta / c_d,

    F_q and F_p the distribution functions of the projected clouds at mid-ranks (a tie counts half), theta uniform on the sphere
    and c_d = E|<u, theta>| / |u| = Gamma(d/2) / (sqrt(pi) Gamma((d+1)/2)). The factor 1 / c_d makes the expectation of v over
    directions equal to the energy drift over all pairs, in every dimension (c_d = 2/pi in the plane).
    `directions` are `stratified` (equal angles in the plane, orthogonal frames in higher dimensions, see
    `slicing.stratified_directions`) or `independent`, with an error of about sqrt(d / n_projections) of |v|. In the plane, 16
    stratified directions are more accurate than 64 independent ones; where the clouds overlap, 4 are.

    Flow of: half the squared MMD of -|x - y|, in expectation; for the directions drawn, exactly of `functional_along` them.
    Long range, without a bandwidth. New directions are drawn from the key every step, so v is equivariant to rotations only in
    distribution. With `at` the formula is the same.
    Units: v has none.
    Self term: included (as a tie it contributes 0).
    Choose: in place of `mmd` with the energy kernel for large batches.
    Fails: noise of the directions: fewer than d, even orthogonal ones, leave an error of about sqrt(d / n_projections) of |v|, so
    increase `n_projections` in more than 16 dimensions.
    Cost: O(n_projections (n + m) (d + log(n + m))); no pairs. Orthogonal frames add O(n_projections d min(d, n_projections)).
    Source: Hertrich et al. 2024 (arXiv:2305.11463), also for the slicing constant of the energy kernel.
    """

    def speed_on_line(self, on_x, on_y, on_queries, x_weights, y_weights):
        """2 (F_q - F_p) at the queries, by mid-ranks."""
        on_queries = on_x if on_queries is None else on_queries
        f_q, f_p = (slicing.mid_distribution(on_queries, on, w) for on, w in ((on_x, x_weights), (on_y, y_weights)))
        return 2 * (f_q - f_p)

    def functional_on_line(self, on_x, on_y):
        """The integral of (F_q - F_p)^2."""
        values = jnp.concatenate([on_x, on_y])
        order = jnp.argsort(values)
        jumps = jnp.where(order < on_x.size, 1 / on_x.size, -1 / on_y.size)
        return jnp.sum(jnp.cumsum(jumps)[:-1] ** 2 * jnp.diff(values[order]))

    def factor(self, dim):
        """1 / c_d."""
        return 1 / slicing.mean_abs_cosine(dim)

    def tags(self) -> Tags:
        flow = "MMD^2(q, p) / 2 of -|x - y| estimated by random directions"
        return Tags(zero_at_equality=True, curl_free=True, flow_of=flow, reach="long", rotation=False)
