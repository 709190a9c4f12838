"""The loss in the released ImageNet code of Deng et al. 2026 (arXiv:2602.04770), which differs from their Algorithm 2."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import flag, real, reals
from gmdwgf.drifts.affinity import SMALLEST_SCALE, Candidates, centred_at, joint_drift, laplace, rms_factor
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.pairs import reductions
from gmdwgf.pairs.kernels import distance
from gmdwgf.typing import Array, Float, Scalar

SELF_DISTANCE = 100.0
"""Added by the mask to the scaled distance of a particle from itself (as in the released code)."""

Groups = Float[Array, "groups _ d"]
GroupWeights = Float[Array, "groups _"]


class GroupedDrift(NamedTuple):
    """Drift of several groups that share the scales S and mean V^2."""

    v: Groups
    """Velocities at the particles (or at `at`), in data units."""
    raw: Groups
    """The velocities without RMS normalisation."""
    unit: Scalar
    """Unit of a coordinate in the released loss, in data units."""


class DengReleasedDrift(StatelessDrift):
    """Algorithm 2 with a floor on the affinities, relative distances, and a velocity of fixed RMS length.

    Candidates c = (particles, extra negatives, targets) with weights w_c. D is the distance, S its weighted mean over
    all pairs of particle and candidate (self-pairs included), h = max(S, 1e-3), u = max(S / sqrt(d), 1e-3); for each R

        K_ic = exp(-D_ic / (h R) - [c is i] 100 / R),
        A_ic = w_c sqrt(max(K_ic^2 / (sum_c' K_ic' sum_i' K_i'c), product_floor)),
        V_i  = s-_i sum_{c in y} A_ic (c - x_i) / u - s+_i sum_{c not in y} A_ic (c - x_i) / u,
        v    = u sum_R V / sqrt(max(mean V^2, 1e-8)),

    with s+_i, s-_i the sums of A_ic over the targets and over the other candidates. S and mean V^2 are single numbers over all
    groups, particles and coordinates. Hence |v| does not measure the distance between the clouds; `raw_rms`, the RMS of
    sum_R u V, does.
    Flow of: nothing; not curl-free. Long range, but only because of the floor: every pair has an affinity of at least
    sqrt(product_floor), an attraction between the means that the RMS normalisation scales up (experiments/mode_masses).
    With a floor of 0 it is as local as Algorithm 2. On 8 Gaussians the defaults, which are meant for high-dimensional features,
    give worse samples than the other drifts (experiments/defaults): where all targets are several temperatures away, the floor
    determines every attraction, which points to the mean of the targets, while repulsion stays local. `product_floor: 0` trains
    well there.
    Units: `temperatures` R in mean distances; `product_floor` a product of two probabilities; `distance_floor` in data
    units (the released code clips squared distances at 1e-8, so a particle is at distance 1e-4 from itself).
    Switches: `product_floor: 0`, `distance_floor: 0`, `self_mask`; `scale_normalise: false` sets h = u = 1 data unit;
    `rms_normalise: false` sums the V without normalisation.
    Self term: included; `self_mask` adds 100 to the scaled distance, which leaves the floor.
    Weights multiply the normalised affinities and the terms of S, as in the released code; they are not multiplicities.
    Groups (classes) share S and mean V^2, and may have extra negatives (for guidance); `velocity` uses one group and none.
    Choose: high-dimensional features, or to match the released code to the last digit.
    Fails: low-dimensional points with the default floor (see above); neither the loss nor |v| shows whether a run converges.
    Cost: two passes over the pairs of a group for each temperature, and one for S; streamed.
    Source: the released code of Deng et al. 2026 (arXiv:2602.04770), reimplemented from its formula.
    """

    temperatures: Float[Array, " k"] = reals(
        "mean distances", above=0, power=lambda node: 0 if node.get("scale_normalise") else 1
    )
    product_floor: Scalar = real("product of two probabilities", at_least=0)
    distance_floor: Scalar = real("data units", at_least=0)
    self_mask: bool = flag()
    scale_normalise: bool = flag()
    rms_normalise: bool = flag()

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        del key
        weights = {
            "x_weights": (x.shape[0] * reductions.masses(x_weights, x))[None],
            "y_weights": (y.shape[0] * reductions.masses(y_weights, y))[None],
        }
        found = self.grouped(x[None], y[None], at=None if at is None else at[None], **weights)
        return DriftOutput(found.v[0], {"v_rms": rms(found.v[0]), "raw_rms": rms(found.raw[0]), "unit": found.unit})

    def update_groups(self, states, x, y, keys, *, negatives=None, negative_weights=None):
        del keys
        found = self.grouped(x, y, negatives, negative_weights=negative_weights)
        norm = lambda v: jnp.sqrt(jnp.mean(jnp.sum(v**2, axis=-1), axis=-1))  # no mutants: reported only
        v_rms, raw_rms = norm(found.v), norm(found.raw)
        unit = jnp.broadcast_to(found.unit, v_rms.shape)
        return DriftOutput(found.v, {"v_rms": v_rms, "raw_rms": raw_rms, "unit": unit}), states

    def loss(self, x: Groups, y: Groups, negatives: Groups | None = None, **weights) -> Float[Array, " groups"]:
        """Released loss of each group: mean over particles and coordinates of ((x - sg(x + v)) / u)^2.

        Its gradient in `x` equals that of the released code. Weights as in `grouped`.
        """
        found = jax.lax.stop_gradient(self.grouped(x, y, negatives, **weights))
        goal = jax.lax.stop_gradient(x) + found.v
        return jnp.mean(((x - goal) / found.unit) ** 2, axis=(1, 2))

    def grouped(
        self,
        x: Groups,
        y: Groups,
        negatives: Groups | None = None,
        *,
        x_weights: GroupWeights | None = None,
        y_weights: GroupWeights | None = None,
        negative_weights: GroupWeights | None = None,
        at: Groups | None = None,
    ) -> GroupedDrift:
        """Drift of `x` `[groups n d]` towards `y` `[groups m d]`, away from `x` and from `negatives` `[groups k d]`.

        Weights `[groups n]`, `[groups m]`, `[groups k]` are unnormalised factors, 1 by default. A group is a class (or a class at
        one position of a feature map); groups interact only through the two scales.
        """
        negatives = x[:, :0] if negatives is None else negatives
        parts = [(x, x_weights), (negatives, negative_weights), (y, y_weights)]
        points = jnp.concatenate([cloud for cloud, _ in parts], axis=1)
        weights = jnp.concatenate([jnp.ones(c.shape[:2], x.dtype) if w is None else w for c, w in parts], axis=1)
        kernel_unit, unit = self._units(x, points, weights)
        repelling = x.shape[1] + negatives.shape[1]

        def raw(temperature, at):
            def one(x, points, weights, at):
                x, points, at = centred_at(x, points, at)
                ones = jnp.ones(points.shape[0], x.dtype)
                candidates = Candidates(points, ones, weights, repelling)
                log_kernel = laplace(temperature * kernel_unit, self.distance_floor)
                mask = SELF_DISTANCE / temperature if self.self_mask else 0.0
                return joint_drift(at, x, ones[: x.shape[0]], candidates, log_kernel, mask, self.product_floor)

            return jax.vmap(one)(x, points, weights, at)

        v = total = jnp.zeros_like(x if at is None else at)
        for temperature in self.temperatures.astype(x.dtype):
            on_particles = raw(temperature, None)
            wanted = on_particles if at is None else raw(temperature, at)
            factor = rms_factor(on_particles, unit) if self.rms_normalise else 1.0
            v = v + factor * wanted
            total = total + wanted  # no mutants: only its size is reported
        return GroupedDrift(v, total, unit)

    def _units(self, x, points, weights) -> tuple[Scalar, Scalar]:
        """Units h of the kernel's distances and u of the drift's coordinates, in data units."""
        one = jnp.ones((), x.dtype)
        if not self.scale_normalise:
            return one, one

        def total(x, points, weights):
            far = lambda point: distance(reductions.squared_distances(point, points))
            row = lambda point: jnp.sum(weights * jnp.maximum(far(point), self.distance_floor))
            return jnp.sum(reductions.over_points(row, x, points.shape[0]))

        mean_distance = jnp.sum(jax.vmap(total)(x, points, weights)) / (x.shape[1] * jnp.sum(weights))
        per_coordinate = mean_distance / x.shape[2] ** 0.5
        return jnp.maximum(mean_distance, SMALLEST_SCALE), jnp.maximum(per_coordinate, SMALLEST_SCALE)

    def tags(self) -> Tags:
        return Tags(zero_at_equality=not self.self_mask, curl_free=False, flow_of=None, reach="long")
