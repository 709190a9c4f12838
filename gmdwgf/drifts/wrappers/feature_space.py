"""A drift taken in features of the points, and carried back to the points."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import Configurable, choice, flag, piece, real
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.features.base import AbstractFeatures
from gmdwgf.typing import Array, Float, Scalar

SCALES = ("none", "batch", "running")

SMALLEST = 1e-6
"""The least scale a feature is divided by, and the least RMS a drift is, in those units."""


class FeatureSpace(Configurable):
    """Which features a drift is taken in, and in which units.

    `scale`: `none` takes the features as they are; `batch` divides each map by S, the RMS distance between two targets of the
    step in that map; `running` by the average of S over the steps so far (`scale_decay` a step), which is state. Lengths of
    the drift (bandwidth, temperature) are then fractions of S, the same for every map and encoder. One S serves all classes
    and places. `rms_normalise` gives the drift of every map the RMS length 1 in those units, as the released loss of Deng et
    al. does, so that all maps have a say.
    """

    maps: AbstractFeatures = piece(AbstractFeatures)
    scale: str = choice(*SCALES)
    scale_decay: Scalar = real("", at_least=0, below=1)
    rms_normalise: bool = flag()


class FeatureState(NamedTuple):
    """State of the drift and scale of every map, and how many steps the scales have seen."""

    drifts: dict[str, Any]
    scales: dict[str, Scalar]
    n_seen: Array


class FeatureSpaceDrift(AbstractDrift):
    """The velocity of the points whose regression is the regression of their features.

        v(x_i) = S_x^2 sum_k J_k(x_i)^T v_k(phi_k(x_i) / S_k) / S_k,        J_k the Jacobian of the feature map phi_k,

    v_k the answer of `drift` to both clouds seen through phi_k / S_k. Up to the factor S_x^2, the squared RMS distance between
    targets (1 without scales), it is minus half the gradient in x_i of the feature losses

        sum_k |phi_k(x_i) / S_k - sg(phi_k(x_i) / S_k + v_k)|^2,

    so regressing on it trains the generator exactly as those losses do (Deng et al. 2026, section on feature spaces, with one
    such loss a map). If the drift is the flow of F, this is that of sum_k F(phi_k # q, phi_k # p), by the chain rule. For the
    identity alone, with or without scale, it is the drift itself, in its own units.
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
        """Units of every map, and the number of steps behind them."""
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
"""Name under which the scale of the points themselves is kept; no map is called so."""


def over_places(ask):
    """`ask(x, y)` for features `[n k]`, or at every place of features `[n places k]`, stacked."""
    return lambda x, y: ask(x, y) if x.ndim == 2 else jax.vmap(ask, in_axes=1)(x, y)


def rms_distance(cloud: Float[Array, "m ..."]) -> Scalar:
    """Root mean square distance between two independent points of a cloud, also averaged over places."""
    spread = jnp.sum((cloud - jnp.mean(cloud, axis=0)) ** 2, axis=-1)
    return jnp.sqrt(2 * jnp.mean(spread))
