"""Wasserstein gradient flow of the Sinkhorn divergence (arXiv:1810.08278; as a drift arXiv:2603.12366)."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp

from gmdwgf import transport
from gmdwgf.config.fields import FieldError, choice, count, real, real_or_null
from gmdwgf.drifts.affinity import halves
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.mappings import Config
from gmdwgf.pairs import reductions
from gmdwgf.typing import Particles, Scalar, Targets


def _power(node: Config) -> int:
    """Power of a length in cost units."""
    return 1 if node.get("cost") == "euclidean" else 2


class SinkhornDrift(StatelessDrift):
    """Entropic transport to the targets minus entropic transport of the particles to themselves.

        v(x_i) = -E[grad_x c(x_i, Y)] + E[grad_x c(x_i, X)],   Y, X drawn from the rows of the entropic plans qp and qq,
               = T_qp(x_i) - T_qq(x_i)                         for c = |x - y|^2 / 2, with T the barycentric maps,
               = E[u(Y)] - E[u(X)], u(Y) = (Y - x_i)/|Y - x_i|  for c = |x - y| (u = 0 at coincident points).

    Flow of: the Sinkhorn divergence S(q, p) = OT(q, p) - OT(q, q)/2 - OT(p, p)/2, exactly when the plans are converged;
    zero only at q = p. Long range: mass moves between distant modes if `max_iters` suffices (the number of iterations grows
    like L^2 / epsilon). As epsilon -> inf it becomes the difference of means, or for c = |x - y| the energy flow of `mmd`.
    Units: `epsilon` in cost units: for half_squared a squared length (sigma^2 of the corresponding Gaussian kernel, see
    `transport.full_cost_epsilon`), for euclidean a length. The solver stops at an L1 marginal error of `threshold` or after
    `max_iters` iterations; for `solver` see `transport.potentials`. `converged`, `n_iters` and `marginal_error` are logged every
    step.
    `unbalanced` is null, or rho in cost units: marginal constraints in all three terms are then replaced by the penalty rho KL,
    and a row has the mass exp(-f / rho), so that distant targets attract weakly. The tau of ott-jax is rho / (rho + epsilon).
    Self term: `same_batch` uses the batch with itself, without masking the diagonal: the flow above. `two_batch` uses the halves
    q1, q2 of the batch as independent samples of the model, and transports each to one half of the targets. All plans are then
    between samples of equal size, which cancels the bias of small batches that shrinks the learned distribution (Salimans et al.
    2018, arXiv:1803.05573). It is the flow of A1 OT(q1, p1) + A2 OT(q2, p2) - OT(q1, q2) / 2, with the masses A1 + A2 = 1 of the
    halves, and its mean over batches is zero at q = p. `reference` replaces q2 by as many further samples r of the model as there
    are targets, which repel and do not move (`references`; the training step draws them without a gradient): v is the flow of
    OT(x, y) - OT(x, r) in x, also with mean zero at q = p (ours). Chance differences of x from q enter both terms and cancel. Without
    references (free particles, wrapped drifts, a direct call) it is `two_batch`. The training step draws the halves of free particles
    anew at every step, since fixed halves drive each other apart. With a single particle or target, or with `at`, the full clouds
    are used.
    Single precision: plan weights have an error of about 6e-8 L^2 / epsilon, L the largest distance between two points, which
    is noticeable when a few points are outliers.
    Memory: `newton` and `ott` store n x m arrays; `streamed` stores none and is slower.
    Choose: the default; when masses of modes are wrong or samples start far from the data, as it moves mass over any distance.
    Fails: with a low `max_iters` mass does not move between distant modes (check `converged`); it has the largest sampling noise
    of all drifts at small n.
    Cost: O(n m) for each solver iteration; small epsilon needs more of them (`n_iters` counts them).
    Source: Feydy et al. 2019 (arXiv:1810.08278); unbalanced: Séjourné et al. 2019 (arXiv:1910.12958); as a drift: He et al. 2026
    (arXiv:2603.12366), Gretton et al. 2026 (arXiv:2605.05118).
    """

    epsilon: Scalar = real("cost units (half_squared: length^2, euclidean: length)", above=0, power=_power)
    cost: str = choice(*transport.COSTS)
    threshold: Scalar = real("L1 marginal error", above=0)
    max_iters: int = count()
    solver: str = choice(*transport.SOLVERS)
    self_term: str = choice("same_batch", "two_batch", "reference")
    unbalanced: Scalar | None = real_or_null("cost units, weight of the marginals' KL penalty", above=0, power=_power)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None, references=None) -> DriftOutput:
        del key
        repelling = x if references is None else references
        x, y, queries, repelling = self._centred(x, y, x if at is None else at, repelling)
        if at is None and references is None and self._halved(x, y):
            attraction, to_y = self._to_half_the_targets(x, x_weights, y, y_weights)
            repulsion, to_x = self._between_halves(x, x_weights)
        else:
            to_y = self._potentials(x, y, x_weights=x_weights, y_weights=y_weights)
            attraction = self._pull(queries, y, to_y.g, y_weights)
            if references is None:
                to_x = transport.self_potential(x, self.epsilon, x_weights=x_weights, **self._solve())
                repulsion = self._pull(queries, x, to_x.f, x_weights)
            else:
                to_x = self._potentials(x, repelling, x_weights=x_weights)
                repulsion = self._pull(queries, repelling, to_x.g, None)
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
        """The Sinkhorn divergence of the empirical measures, or its two-batch estimate, whose flow the velocity is."""

        def cost(x, y):
            return transport.entropic_cost(x, y, self._potentials(x, y), self.epsilon, **self._problem())

        def self_cost(x):
            found = transport.self_potential(x, self.epsilon, **self._solve())
            return transport.entropic_cost(x, x, found, self.epsilon, **self._problem())

        x, y = self._centred(x, jax.lax.stop_gradient(y))
        if not self._halved(x, y):
            return cost(x, y) - self_cost(x) / 2 - self_cost(y) / 2
        (first, a), (second, b) = halves(x, None)
        (near, _), (far, _) = halves(y, None)
        return jnp.sum(a) * cost(first, near) + jnp.sum(b) * cost(second, far) - cost(first, second) / 2

    def _halved(self, x: Particles, y: Targets) -> bool:
        return self.self_term != "same_batch" and min(x.shape[0], y.shape[0]) > 1

    def n_references(self, n: int, m: int) -> int:
        """As many as targets, so that the biases of both plans cancel."""
        return m if self.self_term == "reference" and min(n, m) > 1 else 0

    def _to_half_the_targets(self, x, x_weights, y, y_weights):
        """Attraction of each half of the particles to one half of the targets.

        The bias of the transport cost depends on the sample sizes, also at p = q; it cancels in v only if all sizes are equal.
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
        """Attraction of each half to the other, from one plan between them, divided by twice the mass of the attracted half."""
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

    def _centred(self, *clouds):
        return reductions.centred(*clouds)

    def geodesic(self, manifold):
        if self.cost != "half_squared":
            fix = f"must be half_squared, half the squared geodesic distance, on manifold={manifold.name}"
            raise FieldError("cost", self.cost, fix)
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return GeodesicSinkhornDrift(**fields, manifold=manifold)

    def _problem(self):
        return {"cost": self.cost, "relaxation": self.unbalanced}

    def n_stored(self, n: int, m: int) -> int:
        """The costs of a plan, and for `newton` also its kernel; of halves for `two_batch`, of `m` references for `reference`."""
        if self.solver == "streamed":
            return 0
        n_arrays = 2 if self.solver == "newton" and self.unbalanced is None else 1
        if self.self_term == "two_batch":
            return n_arrays * (n // 2) * (max(n, m) // 2)
        if self.self_term == "reference":
            return n_arrays * n * m
        return max(n_arrays * n * m, n * n)

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


class GeodesicSinkhornDrift(SinkhornDrift):
    """`SinkhornDrift` on a manifold (ours): cost g^2 / 2 of the geodesic distance g, so that -grad_x c(x, y) = log_x(y).

    v(x_i) = E[log_{x_i}(Y)] - E[log_{x_i}(X)] is the Riemannian gradient flow of the Sinkhorn divergence of this cost. `cut_pairs` is
    the share of pairs of a particle and a target at cut points, whose log is 0.
    """

    manifold: AbstractManifold = eqx.field(kw_only=True)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None, references=None) -> DriftOutput:
        masses = {"x_weights": x_weights, "y_weights": y_weights}
        output = super().velocity(x, y, key, at=at, references=references, **masses)
        info = {"v_rms": self.manifold.rms(x if at is None else at, output.v)}
        return output._replace(info=output.info | info | {"cut_pairs": transport.cut_pairs(self.manifold, x, y)})

    def _centred(self, *clouds):
        return clouds

    def _problem(self):
        return {"cost": self.manifold, "relaxation": self.unbalanced}

    def tags(self) -> Tags:
        return super().tags()._replace(translation=False)
