"""The drift of Deng et al. 2026, Algorithm 2 as printed (zoo Z6)."""

import jax.numpy as jnp

from gmdwgf import pairwise
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.hyperparameters import flag, reals
from gmdwgf.kernels import distance
from gmdwgf.typing import Array, Float


class DengDrift(StatelessDrift):
    """Laplace affinities normalised over rows and columns, with cross weights.

    With K = exp(-|.| / temperature), candidates c = (targets, particles) in one row, and masses one a point:

        A_ic = K_ic / sqrt(sum_c' K_ic' * sum_i' K_i'c),      s+_i = sum_{c in y} A_ic,   s-_i = sum_{c in x} A_ic,
        v(x_i) = s-_i sum_{c in y} A_ic y_c - s+_i sum_{c in x} A_ic x_c,      summed over the temperatures.

    Flow of: nothing; not curl-free. Local: the mass of far modes cannot be corrected.
    Units: `temperature` in data units (scale of an unsquared L2 distance); v in data units, scaled by s+ s- <= 1.
    Self term: `self_mask` takes a particle out of its own candidates, as the paper does (adding 1e6 to its distance); the
    field is then not zero on identical clouds. Away from the particles (`at`) there are no self-pairs and the column sums
    stay those over the particles.
    Source: Deng et al. 2026 (arXiv:2602.04770) Algorithm 2. Weights count as fractional copies of a point (ours).
    """

    temperature: Float[Array, " k"] = reals("data units", above=0)
    self_mask: bool = flag()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        queries = x if at is None else at
        x, y, queries = pairwise.centred(x, y, queries)
        n, m = x.shape[0], y.shape[0]
        log_a = pairwise.log_masses(x_weights, x) + jnp.log(n)
        log_b = pairwise.log_masses(y_weights, y) + jnp.log(m)
        temperatures = self.temperature.astype(x.dtype)
        v = sum(self._one(temperature, x, y, queries, log_a, log_b, at is None) for temperature in temperatures)
        return DriftOutput(v, {"v_rms": rms(v)})

    def _one(self, temperature, x, y, queries, log_a, log_b, on_particles):
        n, m = x.shape[0], y.shape[0]
        particles = jnp.arange(n)

        def log_affinity(point, cloud):
            return -distance(pairwise.squared_distances(point, cloud)) / temperature

        def unmasked(logits, index, of_particles=True):
            masked = self.self_mask and of_particles
            return jnp.where(particles == index, -jnp.inf, logits) if masked else logits

        over_queries = lambda c: pairwise.log_sum_exp(log_a + log_affinity(c, x))
        over_others = lambda c: pairwise.log_sum_exp(log_a + unmasked(log_affinity(c[1], x), c[0]))
        column_y = pairwise.over_points(over_queries, y, n)
        column_x = pairwise.over_points(over_others, (particles, x), n)
        column_x = jnp.where(jnp.isneginf(column_x), jnp.inf, column_x)  # a lone masked particle repels nobody

        def pull(row):
            index, point = row
            to_y = log_b + log_affinity(point, y)
            to_x = log_a + unmasked(log_affinity(point, x), index, on_particles)
            half_row = pairwise.log_sum_exp(jnp.concatenate([to_y, to_x])) / 2
            attraction = jnp.exp(to_y - half_row - column_y / 2)
            repulsion = jnp.exp(to_x - half_row - column_x / 2)
            return jnp.sum(repulsion) * (attraction @ y) - jnp.sum(attraction) * (repulsion @ x)

        return pairwise.over_points(pull, (jnp.arange(queries.shape[0]), queries), n + m)

    def tags(self) -> Tags:
        return Tags(zero_at_equality=not self.self_mask, curl_free=False, flow_of=None, reach="local")
