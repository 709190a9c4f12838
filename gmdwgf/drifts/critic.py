"""Learned critics: the drift is the gradient of a network trained to discriminate the two clouds (arXiv:1606.00709)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from gmdwgf.config.fields import MOST_LAYERS, FieldError, choice, count, piece, real
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.drifts.f_divergence import WEIGHTS
from gmdwgf.drifts.inner_steps import fit_network
from gmdwgf.networks import ACTIVATIONS, Params, apply_perceptron, init_perceptron
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Float, Key, Particles, Point, Scalar, Targets, Weights


class CriticState(NamedTuple):
    """Parameters of the critic, its optimiser state, and the centre and scale that standardise its inputs."""

    params: Params
    opt_state: optax.OptState
    centre: Point
    scale: Scalar


class CriticDrift(AbstractDrift):
    """Gradient of a neural critic, trained for `n_inner` steps on the current clouds before each evaluation.

    A logistic critic, min_l E_p softplus(-l) + E_q softplus(l), learns l = log p/q, which gives the velocity of any f-divergence
    D_f(q || p) = E_p f(q/p): -grad f'(r) = r f''(r) grad l at r = q/p = e^{-l},

        kl, KL(q, p)    grad l          reverse_kl, KL(p, q)    e^l grad l        hellinger    e^{l/2}/2 grad l
        js    sigmoid(l)/2 grad l       chi2    2 e^{-l} grad l

    `w1` learns a Kantorovich potential instead: max E_p l - E_q l with |grad l| near 1, and v = grad l. Its speed does not
    vanish at equilibrium, so use a decaying learning rate. The penalty is gradient_penalty * E (|grad l| - c)^2 at random points
    between particles and targets, with c = 1 for w1 (which gives |v| about 1 + W1 / (2 gradient_penalty), W1 in standardised
    coordinates) and c = 0 otherwise (which smooths the logit).

    Flow of: nothing as a function of the batch, because the critic depends on earlier batches; the velocity of the named
    divergence in the limit of an optimal critic. Long range as far as the network extrapolates.
    Units: the network's input is (point - centre) / scale, standardised by the first targets, and the penalty is in these
    coordinates. v is in 1 / data units (w1: none), so free particles (Euler steps) need an `eta` of the order of a squared length.
    `ratio_clip` c clips p/q to [1/c, c] in the factor of grad l.
    `gap`, E_p l - E_q l, estimates KL(q, p) + KL(p, q), or for w1 the distance in data units.
    Self term: none; the critic is trained on the batch at which it is evaluated. Inner steps that are not finite are skipped.
    Choose: many dimensions or targets, where no kernel of a single width covers all distances; any f-divergence from one network.
    Fails: a critic that lags behind or overfits the batch makes particles oscillate; the speed of w1 does not vanish at
    equilibrium.
    Cost: `n_inner` + 1 evaluations of the network and its gradient at n + m points; no pairs.
    Source: Nowozin et al. 2016 (arXiv:1606.00709); w1: Arjovsky et al. 2017, Gulrajani et al. 2017 (arXiv:1704.00028);
    c = 0: Thanh-Tung et al. 2019 (arXiv:1902.03984); as a drift: Gretton et al. 2026 (arXiv:2605.05118). The standardisation and the
    default values are ours.
    """

    extrinsic = True

    optimizer: AbstractOptimizer = piece(AbstractOptimizer)
    objective: str = choice(*WEIGHTS, "w1")
    n_inner: int = count()
    width: int = count(of_numbers=True, ignored_when={"depth": (0,)})
    depth: int = count(at_least=0, at_most=MOST_LAYERS)
    activation: str = choice(*ACTIVATIONS, ignored_when={"depth": (0,)})
    gradient_penalty: Scalar = real("per squared slope, in the frame of the first targets", at_least=0)
    ratio_clip: Scalar = real("largest density ratio", at_least=1, ignored_when={"objective": ("kl", "w1")})

    def check_values(self) -> None:
        check_constant_rate(self.optimizer)

    def init(self, key, x, y) -> CriticState:
        params = init_perceptron(key, x.shape[1], 1, self.width, self.depth, self.activation)
        params = jax.tree.map(lambda leaf: leaf.astype(x.dtype), params)
        centre = jnp.mean(y, axis=0)
        scale = jnp.sqrt(jnp.mean((y - centre) ** 2))
        return CriticState(params, self.optimizer.init(params), centre, jnp.where(scale > 0, scale, 1))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        framed = lambda points: (points - state.centre) / state.scale
        x_framed, y_framed = framed(x), framed(y)
        a, b = reductions.masses(x_weights, x), reductions.masses(y_weights, y)

        def draw(key):
            return x_framed, a, y_framed, b, points_between(key, x_framed, a, y_framed, b)

        start = (state.params, state.opt_state)
        (params, opt_state), losses = fit_network(self.optimizer, self._loss, draw, start, key, self.n_inner)
        logit, slope = self._logit_and_slope(params, x_framed if at is None else framed(at))
        v = self.velocity_of(logit, slope, state.scale)
        gap = b @ self._logit(params, y_framed) - a @ self._logit(params, x_framed)
        gap = gap * state.scale if self.objective == "w1" else gap
        info = {"v_rms": rms(v), "critic_loss": losses[-1], "gap": gap, "slope_rms": rms(slope)}
        return DriftOutput(v, info), state._replace(params=params, opt_state=opt_state)

    def _loss(self, params, x, a, y, b, between) -> Scalar:
        on_x, on_y = jnp.split(self._logit(params, jnp.concatenate([x, y])), [x.shape[0]])
        slope = self._logit_and_slope(params, between)[1]
        if self.objective == "w1":
            fit, wanted = a @ on_x - b @ on_y, 1.0
        else:
            fit, wanted = a @ jax.nn.softplus(on_x) + b @ jax.nn.softplus(-on_y), 0.0
        excess = distance(jnp.sum(slope**2, axis=1)) - wanted
        return fit + self.gradient_penalty * jnp.mean(excess**2)

    def velocity_of(self, logit: Float[Array, " n"], slope: Particles, scale: Scalar) -> Particles:
        """Velocity from the logit and its gradient in standardised coordinates; the w1 potential is scale * logit in data units."""
        if self.objective == "w1":
            return slope
        limit = jnp.log(self.ratio_clip)
        return WEIGHTS[self.objective](jnp.clip(-logit, -limit, limit))[:, None] * slope / scale

    def _logit(self, params, points) -> Float[Array, " n"]:
        return apply_perceptron(params, points, self.width, self.depth, self.activation)[:, 0]

    def _logit_and_slope(self, params, points) -> tuple[Float[Array, " n"], Particles]:
        def total(points):
            logit = self._logit(params, points)
            return jnp.sum(logit), logit

        slope, logit = jax.grad(total, has_aux=True)(points)
        return logit, slope

    def tags(self) -> Tags:
        return Tags(zero_at_equality=False, curl_free=True, flow_of=None, reach="long", rotation=False)


def check_constant_rate(optimizer: AbstractOptimizer) -> None:
    """Raise FieldError unless the learning rate of a network that a drift trains is constant."""
    schedule = optimizer.schedule
    if schedule.decay != "constant":
        fix = "must be constant: a critic learns as long as the run lasts (give learning_rate a schedule instead)"
        raise FieldError("optimizer.schedule.decay", schedule.decay, fix)
    if not isinstance(schedule.warmup_fraction, Tracer) and float(schedule.warmup_fraction) > 0:
        fix = "must be 0: a critic learns as long as the run lasts"
        raise FieldError("optimizer.schedule.warmup_fraction", float(schedule.warmup_fraction), fix)


def points_between(key: Key, x: Particles, a: Weights, y: Targets, b: Weights) -> Particles:
    """Draw `n` points t x' + (1 - t) y' `[n d]`, t uniform, x' and y' drawn from the clouds with masses `a` and `b`.

    Points are drawn by their rank along a random direction, which makes the result invariant to the order of the rows.
    """
    key_direction, key_heights = jax.random.split(key)
    direction = jax.random.normal(key_direction, x.shape[1:], jnp.float32).astype(x.dtype)
    height_x, height_y, t = jax.random.uniform(key_heights, (3, x.shape[0]), jnp.float32).astype(x.dtype)

    def drawn(cloud, masses, height):
        order = jnp.argsort(cloud @ direction)
        rank = jnp.searchsorted(jnp.cumsum(masses[order]), height)
        return cloud[order][jnp.minimum(rank, cloud.shape[0] - 1)]

    return t[:, None] * drawn(x, a, height_x) + (1 - t[:, None]) * drawn(y, b, height_y)
