"""The Sinkhorn drift with a fixed, small number of iterations (arXiv:2603.12366)."""

from gmdwgf.config.fields import count, real
from gmdwgf.drifts.affinity import sinkhorn_map
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.pairs import reductions
from gmdwgf.typing import Scalar


class SinkhornStepsDrift(StatelessDrift):
    """Entropic transport to the targets minus transport to the particles themselves, with plans of `n_iters` Sinkhorn iterations.

        v(x_i) = T_qp(x_i) - T_qq(x_i),   T the barycentric maps of the two plans after `n_iters` iterations.

    Starting from g = 0, an iteration updates the rows, then the columns; a final row update follows. `n_iters: 0` is the drift
    `kl` with bandwidth^2 = epsilon, and as `n_iters` grows v converges to the drift `sinkhorn`.
    Flow of: nothing for finite `n_iters`, the Sinkhorn divergence in the limit; curl-free. Modes at a distance L exchange mass
    after about L^2 / epsilon iterations; `marginal_error` of the plan to the targets is large until then.
    Units: `epsilon` in half squared cost units (length^2), the sigma^2 of the Gaussian kernel; v in data units.
    Single precision: as for `sinkhorn`, plans have an error of about 6e-8 L^2 / epsilon, L the largest distance between points.
    Self term: included.
    Choose: in place of `sinkhorn` for a cost known in advance and without n x m arrays.
    Fails: mass does not move between modes more than about sqrt(n_iters epsilon) apart; with few iterations and a small epsilon
    it behaves like `kl`.
    Cost: 2 `n_iters` + 3 passes over the pairs of each plan, streamed.
    Source: He et al. 2026 (arXiv:2603.12366), whose epsilon is that of the full cost (`transport.full_cost_epsilon`).
    """

    epsilon: Scalar = real("half squared cost units (length^2)", above=0, power=2)
    n_iters: int = count(at_least=0)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        x, y, at = reductions.centred(x, y, x if at is None else at)
        log_a, log_b = reductions.log_masses(x_weights, x), reductions.log_masses(y_weights, y)
        to_y, error = sinkhorn_map(at, x, log_a, y, log_b, self.epsilon, self.n_iters)
        to_x, _ = sinkhorn_map(at, x, log_a, x, log_a, self.epsilon, self.n_iters)
        v = to_y - to_x
        return DriftOutput(v, {"v_rms": rms(v), "marginal_error": error})

    def tags(self) -> Tags:
        return Tags(zero_at_equality=True, curl_free=True, flow_of=None, reach="local", single_precision=5e-3)
