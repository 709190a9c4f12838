"""The drift `kl` towards an unnormalised density: targets without samples (after arXiv:2603.17579)."""

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import choice, count, real
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.drifts.mean_shift import SELF_TERMS, shift_difference
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import LOG_KERNELS
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Float, Point, Scalar


class KLEnergyDrift(StatelessDrift):
    """Smoothed score of the target's density minus mean shift towards the particles, without samples of the target.

        v(x_i) = h^2 grad log p_h(x_i) - h^2 grad log q_h(x_i),   p_h = p * N(0, h^2), q_h the Parzen density of the particles,
        h^2 grad log p_h(x) = sum_k softmax_k(log p(x + h xi_k)) h xi_k         (`estimator: values`)
                            = h^2 grad log sum_k p(x + h xi_k)                  (`estimator: gradients`),

    p known up to a factor (`log_density` of the target: dataset=energy, own_energy, and all toys with a density). The
    `n_perturbations` antithetic pairs +xi, -xi of N(0, I) are drawn from the key and shared by all particles. Both estimators
    converge at the rate of the square root of their number; the bias is of the order of its inverse. `gradients` needs the
    gradient of log p and is a gradient field for every draw, but particles do not leave a mode that is several h from the others;
    the noise of `values`, of size h where few perturbations have mass, finds them.
    Without a density (a direct call on two clouds) p_h is the Parzen density of the targets: it is then the drift `kl`.
    Flow of: nothing, as `kl`. Local: the masses of distant modes do not change.
    Units: `bandwidth` h in data units, the standard deviation of the kernel; v in data units.
    Self term: `keep`, `leave_one_out` or `two_batch`, as in `kl`.
    Choose: an unnormalised density in few dimensions and no samples of it.
    Fails: where no perturbation reaches the mass of p (far from it, or in many dimensions) the estimate is one step of a random
    search, of length h; `effective_perturbations` is then near 1. Otherwise as `kl`.
    Cost: 2 `n_perturbations` evaluations of the density for each particle, and one pass over the pairs of particles; streamed.
    Source: estimator by Tweedie's formula, after Cao et al. 2026 (arXiv:2603.17579); antithetic and shared draws are ours.
    """

    bandwidth: Scalar = real("data units (standard deviation)", above=0)
    self_term: str = choice(*SELF_TERMS)
    n_perturbations: int = count(of_numbers=True)
    estimator: str = choice("values", "gradients")

    needs_density = True
    needs_samples = False

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        return shift_difference("gaussian", self.bandwidth, self.self_term, x, y, at, x_weights, y_weights)

    def towards(self, target: AbstractTarget) -> AbstractDrift:
        """The drift towards the density of `target`, whose samples it ignores."""
        return DensityDrift(self, target)

    def attraction(self, target: AbstractTarget, point: Point, xi: Float[Array, "s d"]) -> tuple[Point, Scalar]:
        """Estimate of h^2 grad log p_h at `point` from the nodes h xi; effective number of nodes."""
        h = self.bandwidth

        def near(point):
            log_p = target.log_density(point + h * xi)
            assert log_p is not None
            return reductions.softmax(log_p)

        found = near(point)
        if self.estimator == "values":
            return h * found.mean(xi), found.effective
        return h**2 * jax.grad(lambda point: near(point).log_sum)(point), found.effective

    def tags(self) -> Tags:
        return Tags(
            zero_at_equality=self.self_term == "keep",
            curl_free=True,
            flow_of=None,
            reach="local",
            permutation=self.self_term != "two_batch",
        )


class DensityDrift(StatelessDrift):
    """A `KLEnergyDrift` bound to the density of a target; the cloud `y` is ignored."""

    drift: KLEnergyDrift
    target: AbstractTarget

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del y, y_weights
        drift, n, queries = self.drift, x.shape[0], x if at is None else at
        draws = jax.random.normal(key, (drift.n_perturbations, x.shape[1]), jnp.float32).astype(x.dtype)
        xi, log_a = jnp.concatenate([draws, -draws]), reductions.log_masses(x_weights, x)

        def pull(row):
            index, point = row
            r2 = reductions.squared_distances(point, x)
            logits = log_a + LOG_KERNELS["gaussian"].log_value(r2, drift.bandwidth)
            if at is None:
                logits = jnp.where(reductions.self_term_mask(drift.self_term, index, n), logits, -jnp.inf)
            repulsion = reductions.weighted_differences(reductions.softmax_weights(logits), point, x)
            attraction, effective = drift.attraction(self.target, point, xi)
            return attraction - repulsion, effective

        rows = (jnp.arange(queries.shape[0]), queries)
        v, effective = reductions.over_points(pull, rows, n + xi.shape[0])
        return DriftOutput(v, {"v_rms": rms(v), "effective_perturbations": jnp.mean(effective)})

    def tags(self) -> Tags:
        moved = {"zero_at_equality": False, "translation": False, "rotation": False}
        return self.drift.tags()._replace(curl_free=self.drift.estimator == "gradients", **moved)
