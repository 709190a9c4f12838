"""Noise-conditional MMD flow: features learned on noisy data, without an adversary (Galashov et al. 2025, arXiv:2405.06780)."""

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import MOST_LAYERS, choice, count, piece, real
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.drifts.critic import CriticState, check_constant_rate
from gmdwgf.drifts.inner_steps import fit_network
from gmdwgf.networks import ACTIVATIONS, Params, apply_perceptron, init_perceptron
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Float, Particles, Scalar, Targets


class DMMDDrift(AbstractDrift):
    """MMD flow with features that are learned to tell data from noisy data, at one level of noise.

    The kernel is phi(x, t) . phi(y, t):

        v(x_i) = s^2 grad_x phi(x_i, t) . (mean_j phi(y_j, t) - mean_l phi(x_l, t)),   t the `noise_level`, s the scale of the data,

    with phi a network of `n_features` outputs. Before each evaluation it takes `n_inner` steps of

        max  |mean phi(y, t') - mean phi(y', t')|^2 - gradient_penalty E(|grad f| - 1)^2 - feature_penalty E|phi|^2,
        y' = sqrt(1 - t'^2) y + t' xi,   xi ~ N(0, I),   t' log-uniform in [min_level, 1],

    in coordinates standardised by the first targets; f = phi . (mean phi(y) - mean phi(y')) is the witness, E its mean over points
    between y and y'. The particles take no part: they are compared with the data as if they were data of noise t. In the paper t
    falls while they approach the data, here by a schedule: `drift.noise_level={schedule:exponential,start:1,end:0.3,n_steps:1500}`.
    Flow of: s^2 MMD^2(q, p) / 2 of the features, exactly, for the state after the inner steps. Long range as far as the network
    extrapolates: at t = 1 phi tells the data from N(0, I) of their scale.
    Units: levels are standard deviations of noise in standardised coordinates, from 0 to 1; v in data units: a witness of slope 1
    moves a particle by s.
    Self term: included; exactly zero on identical clouds. Inner steps that are not finite are skipped.
    Choose: a learned kernel without a game between two networks; the width of the kernel follows the level.
    Fails: at low levels the features are steep, since a witness of slope 1 tells nearly equal laws apart: free particles need a
    shorter step (on 8 Gaussians `eta` = 0.02 at level 0.1, where 0.1 throws them off), and falling levels were no better than a
    constant 1 there. `mmd2`, the squared MMD of the features, is near 0 where they do not tell the clouds apart.
    Cost: `n_inner` + 1 evaluations of the network and its gradient at about 3 m points; no pairs.
    Source: Galashov, De Bortoli and Gretton 2025 (arXiv:2405.06780), with particles and a sequence of falling levels. One level for
    a batch, the standardisation, the penalties' weights and the use as a drift are ours.
    """

    optimizer: AbstractOptimizer = piece(AbstractOptimizer)
    noise_level: Scalar = real("standard deviation of the noise, in standardised coordinates", above=0, at_most=1)
    min_level: Scalar = real("smallest level that is learned, in standardised coordinates", above=0, at_most=1)
    n_features: int = count(of_numbers=True)
    n_inner: int = count()
    width: int = count(of_numbers=True, ignored_when={"depth": (0,)})
    depth: int = count(at_least=0, at_most=MOST_LAYERS)
    activation: str = choice(*ACTIVATIONS, ignored_when={"depth": (0,)})
    gradient_penalty: Scalar = real("per squared excess of the witness' slope over 1", at_least=0)
    feature_penalty: Scalar = real("per squared length of the features", at_least=0)

    def check_values(self) -> None:
        check_constant_rate(self.optimizer)

    def init(self, key, x, y) -> CriticState:
        params = init_perceptron(key, x.shape[1] + 1, self.n_features, self.width, self.depth, self.activation)
        params = jax.tree.map(lambda leaf: leaf.astype(x.dtype), params)
        centre = jnp.mean(y, axis=0)
        scale = jnp.sqrt(jnp.mean((y - centre) ** 2))
        return CriticState(params, self.optimizer.init(params), centre, jnp.where(scale > 0, scale, 1))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        framed = lambda points: (points - state.centre) / state.scale
        a, b, y_framed = reductions.masses(x_weights, x), reductions.masses(y_weights, y), framed(y)

        def draw(key):
            return y_framed, b, *self.noisy(key, y_framed)

        start = (state.params, state.opt_state)
        (params, opt_state), losses = fit_network(self.optimizer, self.loss, draw, start, key, self.n_inner)
        state = state._replace(params=params, opt_state=opt_state)
        phi = lambda points: self.features(params, points, self.noise_level.astype(x.dtype))
        difference = b @ phi(y_framed) - a @ phi(framed(x))
        v = state.scale * jax.grad(lambda points: jnp.sum(phi(points) @ difference))(framed(x if at is None else at))
        return DriftOutput(v, {"v_rms": rms(v), "mmd2": jnp.sum(difference**2), "feature_loss": losses[-1]}), state

    def noisy(self, key, y: Targets) -> tuple[Targets, Targets, Scalar]:
        """Noisy data of a random level, points between them and the data, and the level; `y` standardised."""
        key_level, key_noise, key_between = jax.random.split(key, 3)
        log_level = jnp.log(self.min_level) * jax.random.uniform(key_level, (), jnp.float32)
        level = jnp.exp(log_level).astype(y.dtype)
        noise = jax.random.normal(key_noise, y.shape, jnp.float32).astype(y.dtype)
        noisy = jnp.sqrt(jnp.maximum(1 - level**2, 0)) * y + level * noise  # no mutants (sign flipped): symmetric noise
        share = jax.random.uniform(key_between, (y.shape[0], 1), jnp.float32).astype(y.dtype)
        return noisy, share * y + (1 - share) * noisy, level

    def loss(
        self, params: Params, y: Targets, b: Float[Array, " m"], noisy: Targets, between: Targets, level: Scalar
    ) -> Scalar:
        """Minus the squared MMD between data and noisy data of a level, plus the penalties."""
        clean, other = (self.features(params, points, level) for points in (y, noisy))
        difference = b @ clean - b @ other
        witness = lambda points: jnp.sum(self.features(params, points, level) @ difference)
        slope = distance(jnp.sum(jax.grad(witness)(between) ** 2, axis=1))
        size = jnp.sum(clean**2, axis=1) + jnp.sum(other**2, axis=1)
        return (
            self.gradient_penalty * (b @ (slope - 1) ** 2)
            + self.feature_penalty * (b @ size) / 2
            - jnp.sum(difference**2)
        )

    def features(self, params: Params, points: Particles, level: Scalar) -> Float[Array, "n k"]:
        """phi(points, level) at standardised points."""
        known = jnp.full((points.shape[0], 1), jnp.log(level), points.dtype)
        inputs = jnp.concatenate([points, known], axis=1)
        return apply_perceptron(params, inputs, self.width, self.depth, self.activation)

    def tags(self) -> Tags:
        flow = "s^2 MMD^2(q, p) / 2 of the learned features"
        return Tags(True, True, flow, "long", permutation=False, rotation=False)
