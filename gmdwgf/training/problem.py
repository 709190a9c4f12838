"""The training plan, and the problem: all inputs of the pure step besides its state."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer

from gmdwgf.config.fields import Configurable, FieldError, choice, count, real, real_or_null, shown
from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.landmarks import Moments
from gmdwgf.drifts.wrappers.classwise import ClassCondition, ClasswiseDrift
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace, FeatureSpaceDrift
from gmdwgf.drifts.wrappers.lookahead import WEIGHTS, LookaheadDrift
from gmdwgf.drifts.wrappers.noise_injection import NoiseInjectionDrift
from gmdwgf.drifts.wrappers.nystrom import NystromDrift
from gmdwgf.drifts.wrappers.on_manifold import on_manifold
from gmdwgf.drifts.wrappers.reference_batch import ReferenceBatchDrift
from gmdwgf.drifts.wrappers.sub_batches import SubBatchDrift
from gmdwgf.generators import on_manifold as generators_on_manifold
from gmdwgf.generators.base import AbstractGenerator, Condition
from gmdwgf.manifolds import AbstractManifold, Euclidean
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.optim.schedules import AbstractSchedule, with_value
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.training.ema import Decay, suffixes
from gmdwgf.typing import Array, Float, Scalar

OF_BATCH = {"attraction": ("batch",)}
"""When the fields of the attraction to all targets are ignored."""


class TrainingPlan(Configurable):
    """Number of steps, batch sizes, step length, and intervals of evaluations, checkpoints and chunks.

    `attraction`: `batch` attracts the particles to the `n_targets` targets of the step; `nystrom` to all targets of the data set
    through `n_landmarks` of them (`gmdwgf.training.all_data`), for the drifts kl, mean_shift, mmd and deng.
    """

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
    n_reference: int = count(at_least=0, of_numbers=True, default=0)
    noise_injection: Scalar | None = real_or_null("data units", above=0, default=None)
    lookahead: int = count(default=1)
    lookahead_weights: str = choice(*WEIGHTS, ignored_when={"lookahead": (1,)}, default="equal")
    attraction: str = choice("batch", "nystrom", default="batch")
    n_landmarks: int = count(of_numbers=True, ignored_when=OF_BATCH, default=256)
    ridge: Scalar = real("kernel at distance 0", above=0, ignored_when=OF_BATCH, default=1e-4)
    n_data: int = count(ignored_when=OF_BATCH, default=100_000)

    def check_values(self) -> None:
        if not isinstance(self.ema_decay, Tracer):
            suffixes(self.ema_decay)
        for name in ("batch_size", "n_targets", "n_reference") if self.batching == "sub_batches" else ():
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
    n_reference: int = eqx.field(static=True, default=0)
    """Number of further samples of the generator in a step, which repel and do not move."""
    noise_injection: Scalar | None = None
    """Standard deviation of the noise on the particles at which the drift is evaluated; None for none."""
    lookahead: int = eqx.field(static=True, default=1)
    """Steps of the flow of a batch before the regression."""
    lookahead_weights: str = eqx.field(static=True, default="equal")
    condition: ClassCondition | None = None
    """Classes and guidance of a step; None for an unconditional generator."""
    features: FeatureSpace | None = None
    """Feature maps in which the drift is computed; None for the points themselves."""
    moments: tuple[Moments, ...] | None = None
    """Moments of all targets, which then attract in place of those of the batch; None for the batch."""
    manifold: AbstractManifold = eqx.field(default_factory=Euclidean)
    """Manifold of the points; the generator samples on it."""

    def __repr__(self) -> str:
        return shown(self)

    @property
    def n_classes(self) -> int:
        """Number of classes of the generator; 0 if it is unconditional."""
        return 0 if self.condition is None else self.target.n_classes

    @property
    def n_groups(self) -> int:
        """Number of groups of rows in a batch: classes of a step, or sub-batches."""
        return self.n_sub_batches if self.condition is None else self.condition.n_groups

    def scheduled(self, step: Scalar) -> dict[str, Scalar]:
        """Values of the scheduled fields at `step`."""
        return {path: schedule(step) for path, schedule in self.schedules.items()}

    def drift_at(self, step: Scalar, guidance: Float[Array, " g"] | None = None) -> AbstractDrift:
        """The drift with its values at `step`, on the manifold, wrapped for sub-batches, classes, features and additions."""
        drift = self.drift
        for path, value in self.scheduled(step).items():
            drift = with_value(drift, path, value)
        drift = on_manifold(drift.towards(self.target), self.manifold)
        if self.moments is not None:
            drift = NystromDrift(drift, self.moments)
        if self.n_sub_batches > 1:
            drift = SubBatchDrift(drift, self.n_sub_batches)
        if self.condition is not None and guidance is not None:
            drift = ClasswiseDrift(drift, *self.condition.structure(), guidance)
        drift = drift if self.features is None else FeatureSpaceDrift(drift, self.features)
        if self.noise_injection is not None:
            drift = NoiseInjectionDrift(drift, self.noise_injection)
        if self.lookahead > 1:
            drift = LookaheadDrift(drift, self.lookahead, self.lookahead_weights, self.eta)
        return ReferenceBatchDrift(drift, self.n_reference, self.n_groups) if self.n_reference else drift

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
    if drift.needs_density or target.only_density:
        _check_density(drift, target, condition, features)
    if plan.noise_injection is not None and (condition is not None or plan.batching == "sub_batches"):
        value = plan.noise_injection if isinstance(plan.noise_injection, Tracer) else float(plan.noise_injection)
        fix = "must be null with a condition or batching=sub_batches, in whose groups the noisy points have no velocity"
        raise FieldError("noise_injection", value, fix, section="training")
    if plan.n_reference:
        _check_references(drift, generator, plan)
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
        n_reference=plan.n_reference,
        noise_injection=plan.noise_injection,
        lookahead=plan.lookahead,
        lookahead_weights=plan.lookahead_weights,
        condition=condition,
        features=features,
        manifold=manifold,
    )


def _check_condition(
    condition: ClassCondition, target: AbstractTarget, drift: AbstractDrift, plan: TrainingPlan
) -> None:
    condition.check(target, plan.batch_size, plan.n_targets, plan.n_reference)
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


def _check_references(drift: AbstractDrift, generator: AbstractGenerator, plan: TrainingPlan) -> None:
    if not generator.draws_anew:
        fix = "must be 0: free particles are the only samples of their generator"
        raise FieldError("n_reference", plan.n_reference, fix, section="training")
    if drift.n_references(plan.batch_size, plan.n_targets) and plan.lookahead == 1:
        fix = "must be 0 with drift.self_term=reference, which draws its own; or use self_term=two_batch or same_batch"
        raise FieldError("n_reference", plan.n_reference, fix, section="training")


def _check_density(
    drift: AbstractDrift, target: AbstractTarget, condition: ClassCondition | None, features: FeatureSpace | None
) -> None:
    """Raise FieldError if a drift needs what the target does not have, or cannot use the density of the target."""
    name = type(drift).__name__
    if target.only_density and drift.needs_samples:
        fix = f"needs samples, and {type(target).__name__} is a density without samples to learn from; use drift=kl_energy"
        raise FieldError("drift", name, fix, section="")
    if drift.needs_density and type(target).log_density is AbstractTarget.log_density:
        fix = f"needs a density, and {type(target).__name__} has none; use dataset=energy, or drift=kl for samples"
        raise FieldError("drift", name, fix, section="")
    for key, given in (("condition", condition), ("features", features)):
        if given is not None:
            fix = f"must be null: the density that {name} reads is of the points of all classes"
            raise FieldError(key, type(given).__name__, fix, section="")
