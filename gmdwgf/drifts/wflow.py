"""The two-batch Sinkhorn drift of W-Flow (arXiv:2605.11755)."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp

from gmdwgf import transport
from gmdwgf.config.fields import count, flag, real
from gmdwgf.drifts.affinity import SMALLEST_SCALE, centred_at, halves, rms_factor, sinkhorn_map, sinkhorn_potential
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.pairs import reductions
from gmdwgf.typing import Scalar, Targets, Weights


class WFlowDrift(StatelessDrift):
    """Entropic transport to the targets minus transport to an independent batch, with plans of `n_iters` Sinkhorn iterations.

        v(x_i) = T_qp(x_i) - T_qq'(x_i),   T as in the drift `sinkhorn_steps`, q' the other half of the batch.

    Flow of: nothing: it is not the gradient of the empirical divergence, but avoids its bias, which contracts a batch because
    the transport cost of a batch to itself is too low. Curl-free; not zero on identical clouds. Reach as `sinkhorn_steps`.
    Units: with `scale_normalise`, `epsilon` is relative to the target's variance: epsilon mean_j |y_j - mean y|^2 in half squared
    cost units; otherwise it is in half squared cost units itself. `rms_normalise` scales the velocity, relative to the RMS of the
    targets, to a mean square of 1; `raw_rms` is its RMS before, in data units.
    Self term: each half of the batch is q' for the other, without a mask, and is transported to one half of the targets. All
    plans are between samples of equal size, whose biases cancel at p = q. With a single particle or target, or with `at`, the full
    clouds are used.
    Choose: small batches in high dimensions, where the bias of a batch against itself matters; to compare with W-Flow.
    Fails: uses half of the batch, which adds noise; mass does not move between modes more than about sqrt(n_iters epsilon) apart;
    with `rms_normalise` |v| is not informative.
    Cost: 2 `n_iters` + 3 passes over the pairs of halves, streamed.
    Source: Han et al. 2026 (arXiv:2605.11755). The halves and the RMS about the mean are ours.
    """

    epsilon: Scalar = real(
        "squared RMS of the targets, or half squared cost units",
        above=0,
        power=lambda node: 0 if node.get("scale_normalise") else 2,
    )
    n_iters: int = count(at_least=0)
    scale_normalise: bool = flag()
    rms_normalise: bool = flag()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        x, y, at = self._centred(x, y, at)
        a, b = reductions.masses(x_weights, x), reductions.masses(y_weights, y)
        unit, epsilon = jnp.ones((), y.dtype), self.epsilon
        if self.scale_normalise:
            spread, dim = self._spread(y, b)
            unit = jnp.maximum(jnp.sqrt(spread / dim), SMALLEST_SCALE)
            epsilon = epsilon * dim * unit**2
        whole = (x, a), (y, b), (x, a)
        if min(x.shape[0], y.shape[0]) > 1:
            (q1, q2), (p1, p2) = halves(x, x_weights), halves(y, y_weights)
            answers = self._field(q1[0], q1, p1, q2, epsilon), self._field(q2[0], q2, p2, q1, epsilon)
            raw = jnp.concatenate([v for v, _ in answers])
            error = jnp.maximum(*(error for _, error in answers))
        else:
            raw, error = self._field(x, *whole, epsilon)
        factor = self._factor(x, raw, unit) if self.rms_normalise else 1.0
        if at is not None:
            raw, error = self._field(at, *whole, epsilon)
        v = factor * raw
        return DriftOutput(v, {"v_rms": rms(v), "raw_rms": rms(raw), "marginal_error": error})

    def _centred(self, x, y, at):
        return centred_at(x, y, at)

    def _factor(self, x, raw, unit):
        del x
        return rms_factor(raw, unit)

    def _spread(self, y: Targets, b: Weights) -> tuple[Scalar, int]:
        """Variance of the targets, summed over coordinates, and the number of coordinates."""
        return b @ jnp.sum((y - b @ y) ** 2, axis=1), y.shape[1]

    def _field(self, at, q, p, other, epsilon):
        """Transport at `at` from the sample q to p, minus transport from q to another sample of the model."""
        (x, a), (y, b), (x_other, c) = q, p, other
        log_a, log_b, log_c = (
            reductions.log_masses(a, x),
            reductions.log_masses(b, y),
            reductions.log_masses(c, x_other),
        )
        to_y, error = self._map(at, x, log_a, y, log_b, epsilon)
        to_x, _ = self._map(at, x, log_a, x_other, log_c, epsilon)
        return to_y - to_x, error

    def _map(self, at, x, log_a, y, log_b, epsilon):
        return sinkhorn_map(at, x, log_a, y, log_b, epsilon, self.n_iters)

    def geodesic(self, manifold):
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return GeodesicWFlowDrift(**fields, manifold=manifold)

    def tags(self) -> Tags:
        return Tags(zero_at_equality=False, curl_free=True, flow_of=None, reach="local", permutation=False)


class GeodesicWFlowDrift(WFlowDrift):
    """`WFlowDrift` on a manifold (ours): cost g^2 / 2 of the geodesic distance g, v(x_i) the mean of log_{x_i} over both plans.

    The variance of the targets is half their mean squared geodesic distance. `cut_pairs` is the share of pairs of a particle and a
    target at cut points, whose log is 0.
    """

    manifold: AbstractManifold = eqx.field(kw_only=True)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        output = super().velocity(x, y, key, at=at, x_weights=x_weights, y_weights=y_weights)
        info = {"v_rms": self.manifold.rms(x if at is None else at, output.v)}
        return output._replace(info=output.info | info | {"cut_pairs": transport.cut_pairs(self.manifold, x, y)})

    def _centred(self, x, y, at):
        return x, y, at

    def _factor(self, x, raw, unit):
        lengths = self.manifold.norm(x, raw) / jnp.sqrt(self.manifold.intrinsic_dim(x.shape[1]) * 1.0)
        return rms_factor(lengths, unit)

    def _spread(self, y, b):
        row = lambda point: b @ self.manifold.distance(point, y) ** 2 / 2
        return b @ reductions.over_points(row, y, y.shape[0]), self.manifold.intrinsic_dim(y.shape[1])

    def _map(self, at, x, log_a, y, log_b, epsilon):
        g, error = sinkhorn_potential(x, log_a, y, log_b, epsilon, self.n_iters, self.manifold)
        return transport.pull(at, y, g, log_b, epsilon, self.manifold), error

    def tags(self) -> Tags:
        return super().tags()._replace(translation=False)
