"""Drifts computed in feature space and pulled back to the points."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import Configurable, choice, flag, piece, real
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.features.base import AbstractFeatures
from gmdwgf.typing import Array, Float, Scalar

SCALES = ("none", "batch", "running")

SMALLEST = 1e-6
"""Lower bound of the scales of features, and of the RMS of a drift in units of them."""


class FeatureSpace(Configurable):
    """Feature maps in which a drift is computed, and their normalisation.

    `scale`: `none` uses the features unchanged; `batch` divides each map by S, the RMS distance between two targets of the batch
    in that map; `running` divides by a moving average of S with decay `scale_decay`, which is state. Lengths of the drift
    (bandwidth, temperature) are then fractions of S, which makes them comparable across maps and encoders. All classes and
    positions of a map share one S. `rms_normalise` scales the drift of every map to RMS length 1 in these units, as in the
    released loss of Deng et al. (arXiv:2602.04770), so that all maps contribute equally.
    """

    maps: AbstractFeatures = piece(AbstractFeatures)
    scale: str = choice(*SCALES)
    scale_decay: Scalar = real("", at_least=0, below=1, ignored_when={"scale": ("none", "batch")})
    rms_normalise: bool = flag()


class FeatureState(NamedTuple):
    """Drift state and scale of every map, and the number of steps averaged in the scales."""

    drifts: dict[str, AbstractDrift]
    scales: dict[str, Scalar]
    n_seen: Array


class FeatureSpaceDrift(AbstractDrift):
    """Velocity of the points that corresponds to a drift of their features.

        v(x_i) = S_x^2 sum_k J_k(x_i)^T v_k(phi_k(x_i) / S_k) / S_k,        J_k the Jacobian of the feature map phi_k,

    where v_k is the velocity of `drift` for the features phi_k / S_k of both clouds. Up to the factor S_x^2, the squared RMS
    distance between targets (1 without scales), v is minus half the gradient in x_i of the feature losses

        sum_k |phi_k(x_i) / S_k - sg(phi_k(x_i) / S_k + v_k)|^2,

    so that regression on v trains the generator exactly as these losses do (Deng et al. 2026, arXiv:2602.04770, section on feature
    spaces, with one loss for each map). If the drift is the flow of F, v is the flow of sum_k F(phi_k # q, phi_k # p) by the chain
    rule. For the identity map alone, with or without scale, v is the drift itself, in its own units.
    """

    drift: AbstractDrift
    space: FeatureSpace

    def init(self, key, x, y):
        seen_x, seen_y = self.space.maps.maps(x), self.space.maps.maps(y)
        scales = {name: jnp.zeros((), x.dtype) for name in (*seen_x, _POINTS)}
        drifts = {}
        for k, name in enumerate(sorted(seen_x)):
            start = functools.partial(self.drift.init, jax.random.fold_in(key, k))
            drifts[name] = over_places(start)(seen_x[name], seen_y[name])
        return FeatureState(drifts, scales, jnp.zeros((), int))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        weights = {"x_weights": x_weights, "y_weights": y_weights}
        seen_x, seen_y = self.space.maps.maps(x), self.space.maps.maps(y)
        seen_at, pull_back = jax.vjp(self.space.maps.maps, x if at is None else at)
        scales, n_seen = self._scales(state, seen_y | {_POINTS: y})
        wanted, drifts, infos = {}, {}, []
        for k, name in enumerate(sorted(seen_x)):
            asked = self._ask(jax.random.fold_in(key, k), at is None, weights)
            unit = scales[name]
            output, drifts[name] = asked(
                state.drifts[name], seen_x[name] / unit, seen_y[name] / unit, seen_at[name] / unit
            )
            factor = 1 / jnp.maximum(rms(output.v), SMALLEST) if self.space.rms_normalise else 1.0
            wanted[name] = factor * output.v / unit
            infos.append(output.info)
        v = scales[_POINTS] ** 2 * pull_back(wanted)[0]
        info = jax.tree.map(lambda *values: jnp.mean(jnp.stack(values)), *infos)
        return DriftOutput(v, info | {"v_rms": rms(v)}), FeatureState(drifts, self._kept(state, scales), n_seen)

    def _ask(self, key, at_particles, weights):
        def ask(state, x, y, at):
            return self.drift.update(state, x, y, key, at=None if at_particles else at, **weights)

        def over(state, x, y, at):
            if x.ndim == 2:
                return ask(state, x, y, at)
            output, state = jax.vmap(ask, in_axes=(0, 1, 1, 1))(state, x, y, at)
            return DriftOutput(jnp.moveaxis(output.v, 0, 1), jax.tree.map(jnp.mean, output.info)), state

        return over

    def _scales(self, state, seen_y):
        """Scale of every map, and the number of steps averaged in it."""
        if self.space.scale == "none":
            return {name: jnp.ones((), cloud.dtype) for name, cloud in seen_y.items()}, state.n_seen
        here = {name: jnp.maximum(rms_distance(cloud), SMALLEST) for name, cloud in seen_y.items()}
        if self.space.scale == "batch":
            return here, state.n_seen
        decay = jnp.minimum(self.space.scale_decay, state.n_seen / (state.n_seen + 1.0))  # a plain mean at the start
        scales = {name: decay * state.scales[name] + (1 - decay) * unit for name, unit in here.items()}
        return scales, state.n_seen + 1

    def _kept(self, state, scales):
        return scales if self.space.scale == "running" else state.scales

    def tags(self) -> Tags:
        inner = self.drift.tags()
        flow = f"{inner.flow_of} of the features" if inner.flow_of and not self.space.rms_normalise else None
        return inner._replace(flow_of=flow, curl_free=flow is not None, translation=False, rotation=False)


_POINTS = " points"
"""Key of the scale of the points themselves; the leading space keeps it distinct from names of maps."""


def over_places(ask):
    """Apply `ask(x, y)` to features `[n k]`, or to every position of features `[n places k]` by vmap."""
    return lambda x, y: ask(x, y) if x.ndim == 2 else jax.vmap(ask, in_axes=1)(x, y)


def rms_distance(cloud: Float[Array, "m ..."]) -> Scalar:
    """Root mean square distance between two independent points of a cloud, averaged over positions."""
    spread = jnp.sum((cloud - jnp.mean(cloud, axis=0)) ** 2, axis=-1)
    return jnp.sqrt(2 * jnp.mean(spread))
