"""Wasserstein gradient flow of half the squared sliced Wasserstein-2 distance (arXiv:1806.08141)."""

import jax.numpy as jnp

from gmdwgf.config.fields import flag
from gmdwgf.drifts.base import Tags
from gmdwgf.drifts.sliced import AbstractSlicedDrift
from gmdwgf.pairs import slicing


class SlicedWassersteinDrift(AbstractSlicedDrift):
    """Optimal transport of the projections, averaged over random directions.

        v(x_i) = mean_theta (t_theta(x_i) - <x_i, theta>) theta        (times d if `scale_by_dim`),

    where t_theta(x_i) is the mean of the quantile function of the projected targets over the levels (A_{i-1}, A_i] of the
    particle, with A the cumulative masses of the sorted projected particles. For n = m it is the target of the same rank. A
    translation of the distribution by b gives v = b / d; with the factor d, one step of eta = 1 removes a translation (exactly for
    2 or more stratified directions in the plane, or complete orthogonal frames in higher dimensions).

    Flow of: SW_2^2(q, p) / 2 (times d) between the empirical measures for the directions drawn, exactly, for any n, m and masses.
    Long range, without a bandwidth. With `at`, t_theta is interpolated linearly between particles and constant beyond them.
    Particles that tie along a direction are ordered by row. New directions are drawn from the key every step, `stratified` or
    `independent` as in `sliced_mmd`, so v is equivariant to rotations only in distribution.
    Units: v in data units.
    Self term: none; the transport plan uses the whole batch.
    Choose: long range without a bandwidth, for large batches in low dimensions.
    Fails: noise of the directions, and of the batch as for `sinkhorn`; in high dimensions each direction carries little
    information.
    Cost: O(n_projections (n + m) (d + log(n + m))); no pairs.
    Source: Bonneel et al. 2015; as a flow: Bonnotte 2013, Liutkus et al. 2019 (arXiv:1806.08141); as a drift: Gretton et al. 2026
    (arXiv:2605.05118).
    """

    scale_by_dim: bool = flag()

    def speed_on_line(self, on_x, on_y, on_queries, x_weights, y_weights):
        """t_theta(x) - x: mean of the quantile function over the levels of a particle, minus its projection."""
        order, y_order = jnp.argsort(on_x), jnp.argsort(on_y)
        x_levels = slicing.levels(x_weights, order, on_x.dtype)
        y_levels = slicing.levels(y_weights, y_order, on_x.dtype)
        image = slicing.barycentric_map_1d(x_levels, y_levels, on_y[y_order])
        if on_queries is None:
            return jnp.zeros_like(on_x).at[order].set(image) - on_x
        return jnp.interp(on_queries, on_x[order], image) - on_queries

    def functional_on_line(self, on_x, on_y):
        """Half the squared W_2 distance on the line."""
        i, j, width = slicing.monotone_coupling(
            *(slicing.levels(None, jnp.arange(on.size), on.dtype) for on in (on_x, on_y))
        )
        return jnp.sum(width * (jnp.sort(on_x)[i] - jnp.sort(on_y)[j]) ** 2) / 2

    def factor(self, dim):
        """The dimension if `scale_by_dim`, else 1."""
        return dim if self.scale_by_dim else 1

    def tags(self) -> Tags:
        flow = ("d times " if self.scale_by_dim else "") + "SW_2^2(q, p) / 2 estimated by random directions"
        return Tags(zero_at_equality=True, curl_free=True, flow_of=flow, reach="long", rotation=False)
