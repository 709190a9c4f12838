"""The training plan, and the problem: all inputs of the pure step besides its state."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer

from gmdwgf.config.fields import Configurable, FieldError, choice, count, real, shown
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.classwise import ClassCondition, ClasswiseDrift
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace, FeatureSpaceDrift
from gmdwgf.drifts.wrappers.on_manifold import on_manifold
from gmdwgf.drifts.wrappers.sub_batches import SubBatchDrift
from gmdwgf.generators import on_manifold as generators_on_manifold
from gmdwgf.generators.base import AbstractGenerator, Condition
from gmdwgf.manifolds import AbstractManifold, Euclidean
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.optim.schedules import AbstractSchedule, with_value
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.training.ema import Decay, suffixes
from gmdwgf.typing import Array, Float, Scalar


class TrainingPlan(Configurable):
    """Number of steps, batch sizes, step length, and intervals of evaluations, checkpoints and chunks."""

    n_steps: int = count()
    batch_size: int = count(of_numbers=True)
    n_targets: int = count(of_numbers=True)
    batching: str = choice("full", "sub_batches")
    n_sub_batches: int = count(ignored_when={"batching": ("full",)})
    eta: Scalar = real("fraction of the drift travelled in a step", above=0)
    ema_decay: Decay = real("", at_least=0, at_most=1, or_list=True)
    divergence_radius: Scalar = real(
        "multiples of the target's length: a particle beyond it ends the run as diverged", above=0
    )
    eval_every: int = count()
    checkpoint_every: int = count()
    refresh_every: int = count()
    chunk_size: int = count()
    n_snapshot: int = count(of_numbers=True)

    def check_values(self) -> None:
        if not isinstance(self.ema_decay, Tracer):
            suffixes(self.ema_decay)
        for name in ("batch_size", "n_targets") if self.batching == "sub_batches" else ():
            size = getattr(self, name)
            if size % self.n_sub_batches:
                raise FieldError(
                    name, size, f"must be divisible by n_sub_batches={self.n_sub_batches} for batching=sub_batches"
                )


class Problem(eqx.Module):
    """All inputs of the pure step besides its state: one pytree, in which all real numbers are traced."""

    target: AbstractTarget
    drift: AbstractDrift
    generator: AbstractGenerator
    optimizer: AbstractOptimizer
    n_steps: Scalar
    eta: Scalar
    ema_decay: Decay
    divergence_radius: Scalar
    batch_size: int = eqx.field(static=True)
    n_targets: int = eqx.field(static=True)
    loss_scale: float = eqx.field(static=True)
    schedules: dict[str, AbstractSchedule] = eqx.field(default_factory=dict)
    """Schedules of drift fields, by their paths."""
    n_sub_batches: int = eqx.field(static=True, default=1)
    """Number of independent parts that the batch is split into; 1 for the full batch."""
    condition: ClassCondition | None = None
    """Classes and guidance of a step; None for an unconditional generator."""
    features: FeatureSpace | None = None
    """Feature maps in which the drift is computed; None for the points themselves."""
    manifold: AbstractManifold = eqx.field(default_factory=Euclidean)
    """Manifold of the points; the generator samples on it."""

    def __repr__(self) -> str:
        return shown(self)

    @property
    def n_classes(self) -> int:
        """Number of classes of the generator; 0 if it is unconditional."""
        return 0 if self.condition is None else self.target.n_classes

    def scheduled(self, step: Scalar) -> dict[str, Scalar]:
        """Values of the scheduled fields at `step`."""
        return {path: schedule(step) for path, schedule in self.schedules.items()}

    def drift_at(self, step: Scalar, guidance: Float[Array, " g"] | None = None) -> AbstractDrift:
        """The drift with its values at `step`, on the manifold, and wrapped for sub-batches, classes and features as configured."""
        drift = self.drift
        for path, value in self.scheduled(step).items():
            drift = with_value(drift, path, value)
        drift = on_manifold(drift, self.manifold)
        if self.n_sub_batches > 1:
            drift = SubBatchDrift(drift, self.n_sub_batches)
        if self.condition is not None and guidance is not None:
            drift = ClasswiseDrift(drift, *self.condition.structure(), guidance)
        return drift if self.features is None else FeatureSpaceDrift(drift, self.features)

    def evaluation(self, n: int) -> Condition | None:
        """Condition of `n` samples for evaluation; None for an unconditional generator."""
        return (
            None if self.condition is None else self.condition.evaluation(n, self.n_classes, self.target.class_shares)
        )


def assemble_problem(
    target: AbstractTarget,
    drift: AbstractDrift,
    generator: AbstractGenerator,
    optimizer: AbstractOptimizer,
    plan: TrainingPlan,
    schedules: dict[str, AbstractSchedule] | None = None,
    condition: ClassCondition | None = None,
    features: FeatureSpace | None = None,
    manifold: AbstractManifold | None = None,
) -> Problem:
    """Assemble the problem from its components. Raises FieldError if `condition` is not compatible with the others.

    `manifold` is by default that of the target.
    """
    manifold = target.manifold if manifold is None else manifold
    generator = generators_on_manifold.on_manifold(generator, manifold)
    if condition is not None:
        _check_condition(condition, target, drift, plan)
    return Problem(
        target=target,
        drift=drift,
        generator=generator,
        optimizer=optimizer,
        n_steps=jnp.asarray(float(plan.n_steps)),
        eta=plan.eta,
        ema_decay=plan.ema_decay,
        divergence_radius=plan.divergence_radius,
        batch_size=plan.batch_size,
        n_targets=plan.n_targets,
        loss_scale=generator.loss_scale(plan.batch_size),
        schedules=schedules or {},
        n_sub_batches=plan.n_sub_batches if plan.batching == "sub_batches" else 1,
        condition=condition,
        features=features,
        manifold=manifold,
    )


def _check_condition(
    condition: ClassCondition, target: AbstractTarget, drift: AbstractDrift, plan: TrainingPlan
) -> None:
    condition.check(target, plan.batch_size, plan.n_targets)
    if plan.batching == "sub_batches":
        fix = "cannot be combined with a condition, which already splits the batch by class; use training.batching=full"
        raise FieldError("batching", plan.batching, fix, section="training")
    cloud = jax.ShapeDtypeStruct((4, target.dim), jnp.zeros(()).dtype)
    carried = jax.tree.leaves(jax.eval_shape(drift.init, jax.random.key(0), cloud, cloud))
    if carried and condition.n_groups != target.n_classes:
        fix = f"must be {target.n_classes}, all classes: a drift with state needs every class at every step"
        raise FieldError("n_groups", condition.n_groups, fix)
    if condition.guidance == "negatives" and not drift.tags().permutation:
        fix = "is not supported by drifts that compare the two halves of the batch; use guidance=velocity"
        raise FieldError("guidance", condition.guidance, fix)
