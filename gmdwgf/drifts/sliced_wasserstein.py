"""Wasserstein gradient flow of half the squared sliced Wasserstein-2 distance (zoo Z14)."""

import jax.numpy as jnp

from gmdwgf.config.fields import flag
from gmdwgf.drifts.base import Tags
from gmdwgf.drifts.sliced import AbstractSlicedDrift
from gmdwgf.pairs import slicing


class SlicedWassersteinDrift(AbstractSlicedDrift):
    """Optimal transport of the projections, averaged over random directions.

        v(x_i) = mean_theta (t_theta(x_i) - <x_i, theta>) theta        (times d if `scale_by_dim`),

    t_theta(x_i) the mean of the quantile function of the projected targets over the levels (A_{i-1}, A_i] that the particle
    covers, A the cumulative masses of the projected particles in order. For n = m it is the target of the same rank. A
    translation of the law by b gives v = b / d, hence the factor: with it, one step of eta = 1 undoes a translation (along
    stratified directions exactly, if there are 2 or more of them in the plane, or whole frames of d beyond).

    Flow of: SW_2^2(q, p) / 2 (times d) between the empirical laws at the directions drawn, exactly, for any n, m and masses.
    Long range, and no bandwidth. Units: v in data units. Along each direction t_theta is interpolated linearly between
    particles and constant beyond them: that is the field at `at`. Particles that tie along a direction are taken in the order
    of their rows. Fresh directions are drawn from the key every step, `stratified` or `independent` as those of `sliced_mmd`;
    rotating the clouds rotates v in law only.
    Self term: none; the plan takes the whole batch.
    Choose: long range without a bandwidth, for large batches in few dimensions.
    Fails: noise of the directions and of the batch, like `sinkhorn`'s; in many dimensions each direction sees little.
    Cost: O(n_projections (n + m) (d + log(n + m))); no pairs.
    Source: Bonneel et al. 2015; as a flow Bonnotte 2013, Liutkus et al. 2019 (arXiv:1806.08141).
    """

    scale_by_dim: bool = flag()

    def speed(self, on_x, on_y, on_queries, x_weights, y_weights):
        """t_theta(x) - x: the mean of the quantile function over the levels that a particle covers, minus the particle."""
        order, y_order = jnp.argsort(on_x), jnp.argsort(on_y)
        x_levels = slicing.levels(x_weights, order, on_x.dtype)
        y_levels = slicing.levels(y_weights, y_order, on_x.dtype)
        image = slicing.barycentric_map_1d(x_levels, y_levels, on_y[y_order])
        if on_queries is None:
            return jnp.zeros_like(on_x).at[order].set(image) - on_x
        return jnp.interp(on_queries, on_x[order], image) - on_queries

    def functional(self, on_x, on_y):
        """Half of W_2^2 on the line."""
        i, j, width = slicing.monotone_coupling(
            *(slicing.levels(None, jnp.arange(on.size), on.dtype) for on in (on_x, on_y))
        )
        return jnp.sum(width * (jnp.sort(on_x)[i] - jnp.sort(on_y)[j]) ** 2) / 2

    def factor(self, dim):
        """The dimension if `scale_by_dim`, else 1."""
        return dim if self.scale_by_dim else 1

    def tags(self) -> Tags:
        flow = "SW_2^2(q, p) / 2 along the directions drawn" + (", times d" if self.scale_by_dim else "")
        return Tags(zero_at_equality=True, curl_free=True, flow_of=flow, reach="long", rotation=False)
