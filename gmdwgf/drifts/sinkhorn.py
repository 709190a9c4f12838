"""Wasserstein gradient flow of the Sinkhorn divergence (zoo Z9)."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer

from gmdwgf import transport
from gmdwgf.config.fields import FieldError, choice, count, real
from gmdwgf.drifts.affinity import halves
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.pairs import reductions
from gmdwgf.typing import Particles, Scalar, Targets


def _real_or_null() -> Any:
    """A traced real number, or None (`null` or `none` in YAML)."""

    def convert(value):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return jnp.asarray(float(value)) if number else None if value == "none" else value

    return eqx.field(converter=convert)


class SinkhornDrift(StatelessDrift):
    """Transport to the targets minus transport of the particles to themselves.

        v(x_i) = -E[grad_x c(x_i, Y)] + E[grad_x c(x_i, X)],   Y, X drawn from the rows of the entropic plans qp and qq,
               = T_qp(x_i) - T_qq(x_i)                         for c = |x - y|^2 / 2, with T the barycentric maps,
               = E[u(Y)] - E[u(X)], u(Y) = (Y - x_i)/|Y - x_i|  for c = |x - y| (u = 0 at coincident points).

    Flow of: the Sinkhorn divergence S(q, p) = OT(q, p) - OT(q, q)/2 - OT(p, p)/2, exactly when the plans are converged;
    zero only at q = p. Long range: mass moves between far modes, if the iterations suffice (their number grows like
    L^2 / epsilon). Large epsilon: the difference of means; for c = |x - y| the energy-distance flow of `mmd`.
    Units: `epsilon` in units of the cost: for half_squared the square of a length (sigma^2 of the matching Gaussian
    kernel, see `transport.full_cost_epsilon`), for euclidean a length. `threshold` is the L1 marginal error at which
    the solver stops, `max_iters` its cap, `solver` as in `transport.potentials`; `converged`, `n_iters` and
    `marginal_error` are reported every step.
    `unbalanced` is null, or rho in cost units: in all three terms marginals then cost rho KL instead of being exact,
    and a row counts by its mass exp(-f / rho), so that far targets hardly pull. The tau of ott-jax is rho / (rho +
    epsilon).
    Self term: `same_batch` is the batch with itself, no diagonal mask, the flow above. `two_batch`: the halves q1, q2 of
    the batch are each other's independent sample, and each is drawn to one half of the targets, so that all plans are
    between samples of one size and the bias of small batches, which shrinks what is learnt, cancels (Salimans et al.
    2018, arXiv:1803.05573). It is the flow of A1 OT(q1, p1) + A2 OT(q2, p2) - OT(q1, q2) / 2, with the masses A1 + A2 = 1
    of the halves, and on average over batches zero at q = p. A lone particle or target, and the field away from the
    particles (`at`), know only the whole clouds.
    Single precision: weights of the plan are exact to about 6e-8 L^2 / epsilon, L the largest distance of two points
    (costs of that size are rounded), which shows when a few points lie far out.
    Memory: `newton` keeps n x m arrays, and so does `ott`; `streamed` keeps none and takes longer.
    Choose: masses of modes are wrong, or samples start far off: it carries mass over any distance. The default.
    Fails: a low `max_iters` makes it blind to far modes (watch `converged`); the largest sampling noise of all at
    small n.
    Cost: O(n m) a solver step, more of them for small epsilon (`n_iters` says how many).
    Source: Feydy et al. 2019 (arXiv:1810.08278); relaxed: Séjourné et al. 2019 (arXiv:1910.12958); as a drift He et al.
    (arXiv:2603.12366), arXiv:2605.05118.
    """

    epsilon: Scalar = real("cost units (half_squared: length^2, euclidean: length)", above=0)
    cost: str = choice(*transport.COSTS)
    threshold: Scalar = real("L1 marginal error", above=0)
    max_iters: int = count()
    solver: str = choice(*transport.SOLVERS)
    self_term: str = choice("same_batch", "two_batch")
    unbalanced: Scalar | None = _real_or_null()

    def check_values(self) -> None:
        rho = self.unbalanced
        if rho is not None and not isinstance(rho, Tracer):
            if not isinstance(rho, jax.Array) or not 0 < float(rho) < math.inf:
                raise FieldError("unbalanced", rho, "must be null or a number greater than 0 (cost units)")

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        x, y, queries = reductions.centred(x, y, x if at is None else at)
        if at is None and self._halved(x, y):
            attraction, to_y = self._to_half_the_targets(x, x_weights, y, y_weights)
            repulsion, to_x = self._between_halves(x, x_weights)
        else:
            to_y = self._potentials(x, y, x_weights=x_weights, y_weights=y_weights)
            attraction = self._pull(queries, y, to_y.g, y_weights)
            to_x = transport.self_potential(x, self.epsilon, x_weights=x_weights, **self._solve())
            repulsion = self._pull(queries, x, to_x.f, x_weights)
        v = attraction - repulsion
        info = {
            "v_rms": rms(v),
            "n_iters": to_y.n_iters.astype(v.dtype),
            "marginal_error": jnp.maximum(to_y.marginal_error, to_x.marginal_error),
            "converged": (to_y.converged & to_x.converged).astype(v.dtype),
        }
        return DriftOutput(v, info)

    @eqx.filter_jit
    def functional(self, x: Particles, y: Targets) -> Scalar:
        """What the velocity is the flow of: the Sinkhorn divergence of the empirical laws, or its form for two batches."""

        def cost(x, y):
            return transport.entropic_cost(x, y, self._potentials(x, y), self.epsilon, **self._problem())

        def self_cost(x):
            found = transport.self_potential(x, self.epsilon, **self._solve())
            return transport.entropic_cost(x, x, found, self.epsilon, **self._problem())

        x, y = reductions.centred(x, jax.lax.stop_gradient(y))
        if not self._halved(x, y):
            return cost(x, y) - self_cost(x) / 2 - self_cost(y) / 2
        (first, a), (second, b) = halves(x, None)
        (near, _), (far, _) = halves(y, None)
        return jnp.sum(a) * cost(first, near) + jnp.sum(b) * cost(second, far) - cost(first, second) / 2

    def _halved(self, x: Particles, y: Targets) -> bool:
        return self.self_term == "two_batch" and min(x.shape[0], y.shape[0]) > 1

    def _to_half_the_targets(self, x, x_weights, y, y_weights):
        """Pull of each half of the particles by one half of the targets: plans between clouds as small as the halves.

        The cost of transport between samples depends on their sizes, at p = q too; only equal ones take it out of v.
        """
        sides = zip(halves(x, x_weights), halves(y, y_weights), strict=True)
        pulls, found = [], []
        for (part, a), (targets, b) in sides:
            found.append(self._potentials(part, targets, x_weights=a, y_weights=b))
            pulls.append(self._pull(part, targets, found[-1].g, b))
        first, second = found
        worst = first._replace(
            n_iters=jnp.maximum(first.n_iters, second.n_iters),
            marginal_error=jnp.maximum(first.marginal_error, second.marginal_error),
            converged=first.converged & second.converged,
        )
        return jnp.concatenate(pulls), worst

    def _between_halves(self, x, x_weights):
        """Pull of each half by the other, from one plan between them: a particle feels it by its share of its half."""
        (first, a), (second, b) = halves(x, x_weights)
        found = self._potentials(first, second, x_weights=a, y_weights=b)
        pulls = self._pull(first, second, found.g, b) / jnp.sum(a), self._pull(second, first, found.f, a) / jnp.sum(b)
        return jnp.concatenate(pulls) / 2, found

    def _pull(self, at, cloud, potential, weights):
        log_masses = reductions.log_masses(weights, cloud)
        return transport.pull(at, cloud, potential, log_masses, self.epsilon, **self._problem())

    def _potentials(self, x, y, **weights):
        return transport.potentials(x, y, self.epsilon, **weights, **self._solve())

    def _solve(self):
        stop = {"threshold": self.threshold, "max_iters": self.max_iters, "solver": self.solver}
        return stop | self._problem()

    def _problem(self):
        return {"cost": self.cost, "relaxation": self.unbalanced}

    def tags(self) -> Tags:
        same = self.self_term == "same_batch"
        flow = "Sinkhorn divergence S_epsilon(q, p)" if same else "S_epsilon(q, p) estimated by two batches"
        return Tags(
            zero_at_equality=same,
            curl_free=True,
            flow_of=flow,
            reach="long",
            permutation=same,
            single_precision=5e-3,
        )
