"""Train from Python: `gmdwgf.fit`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.drifts.wrappers.classwise import ClassCondition
from gmdwgf.drifts.wrappers.feature_space import FeatureSpace
from gmdwgf.engine import devices
from gmdwgf.engine.blas import within_one_blas_thread
from gmdwgf.engine.compilation import keep_compiled_programs
from gmdwgf.engine.in_memory import train_in_memory
from gmdwgf.engine.references import fixed_reference
from gmdwgf.engine.vector_width import use_whole_vectors
from gmdwgf.generators.base import AbstractGenerator
from gmdwgf.launch.callbacks import Callback, on_one_device, one_callback
from gmdwgf.launch.chosen import Chosen, TargetLike, choose
from gmdwgf.launch.components import components_of
from gmdwgf.launch.fitting_in_folder import fit_in_folder, printer
from gmdwgf.launch.ignored import check_ignored
from gmdwgf.launch.layout import seed_of
from gmdwgf.launch.result import RunResult, modes_of
from gmdwgf.launch.sizes import check_memory
from gmdwgf.manifolds import AbstractManifold
from gmdwgf.mappings import Record
from gmdwgf.optim.optimizers import AbstractOptimizer
from gmdwgf.optim.schedules import AbstractSchedule
from gmdwgf.tracking import RunHeader, Sink
from gmdwgf.tracking.notebook import default_progress
from gmdwgf.training import ema
from gmdwgf.typing import PyTree


def fit(
    target: TargetLike,
    drift: str | AbstractDrift,
    *,
    generator: str | AbstractGenerator = "mlp",
    optimizer: str | AbstractOptimizer | None = None,
    n_steps: int | None = None,
    seed: int = 0,
    callbacks: Callback | Sequence[Callback] = (),
    folder: str | Path | None = None,
    progress: bool = True,
    n_devices: int | None = None,
    condition: str | ClassCondition | None = None,
    features: str | FeatureSpace | None = None,
    manifold: str | AbstractManifold | None = None,
    schedules: Mapping[str, AbstractSchedule] | None = None,
    **numbers: object,
) -> RunResult:
    """Train a one-step generator on a target with a drift.

        result = gmdwgf.fit("eight_gaussians", "kl", n_steps=1000, batch_size=256)
        result.plot()                                    # samples over targets, and MMD^2 with its floor
        x = result.sample(jax.random.key(0), 500)        # [500 d]

    Every step draws `batch_size` points x = f(z) from the generator and `n_targets` points y from the target, computes the
    drift's velocity v at x, and regresses the generator on x + eta v (`gmdwgf.train_step`). Every `eval_every` steps the averaged
    generator is evaluated against held-out points and a record is appended to the result. The floor is the score of fresh data.

    **Arguments:**

    - `target`: the name of a config in `configs/dataset/`; the path of a YAML file or of a data file (docs/own_data.md); an array
      `[N d]` (NumPy, JAX, PyTorch) or a data frame (pandas, polars, pyarrow), used as with dataset=array; a JAX function
      `(key, n) -> [n d]`; or a target object such as `gmdwgf.load_target("pinwheel", n_arms=3)` or
      `gmdwgf.load_target("iris.csv", labels="species")`.
    - `drift`: a name, or an object such as `gmdwgf.load_drift("kl", bandwidth=0.5)` or `gmdwgf.drifts.KLDrift(...)`.
    - `generator`, `optimizer`, `condition`, `features`: a name or an object. `optimizer` defaults to `euler` for the generator
      `particles` and to `adam` otherwise; `condition` and `features` default to none.
    - `manifold`: a name in `configs/manifold/` or an object, for data of your own that lie on it; by default that of the target.
    - `schedules`: schedules of drift fields by name, e.g. `{"bandwidth": gmdwgf.optim.Exponential(...)}`.
    - `n_steps`, `numbers`: fields of `training` (`batch_size`, `eta`, `ema_decay`, `eval_every`), of the optimiser
      (`learning_rate`), of the generator (`width`) and of the metrics (`n_samples`), by their names in the YAML files, which are
      unique. Defaults are those of `configs/`, e.g. 2,000 steps.
    - `seed`: seed of all random numbers, 0 .. 2^32 - 1.
    - `callbacks`: called as `callback(step, record, sample)` at every evaluation, including step 0. The function
      `sample(key, n)` stays valid afterwards. A callback that returns true stops the training with status `interrupted`.
    - `progress`: show a progress bar on a terminal or a line in a notebook.
    - `n_devices`: number of devices that share the particles of a step, by default all; it must divide `batch_size`.
    - `folder`: root folder of runs (`paths.root` of the command). The run is saved to its own subfolder with the same id and files
      as from the command line, and the same call returns the finished run or resumes from the last checkpoint. An array or data
      frame is saved beside the runs and identified by its content. Functions, and objects that their fields do not fully
      determine, cannot be saved to a folder, because a config cannot name them. wandb is off.

    Units: those of the fields, in data units where the YAML files say so. Ctrl-C stops the training after the current chunk and
    returns the result so far (a second Ctrl-C raises). The same seed and values give the same parameters as the command, to the
    bit, on the same devices, provided that gmdwgf initialised JAX, which sets the vector width of XLA on CPUs.

    **Raises:** `ConfigError` for an invalid key or value, before anything is compiled. The message states the key, the value and a
    fix, and for an unknown key the closest known one.
    """
    use_whole_vectors()
    callbacks = [callbacks] if callable(callbacks) else list(callbacks)
    chosen = choose(
        target,
        drift,
        generator=generator,
        optimizer=optimizer,
        condition=condition,
        features=features,
        manifold=manifold,
        schedules=schedules,
        seed=seed,
        n_steps=n_steps,
        **numbers,
    )
    chosen.cfg.devices.n = n_devices
    with within_one_blas_thread():
        if folder is None:
            return _fit_in_memory(chosen, callbacks, default_progress() if progress else None)
        return fit_in_folder(chosen, Path(folder).expanduser(), callbacks, default_progress() if progress else None)


def _fit_in_memory(chosen: Chosen, callbacks: Sequence[Callback], progress: Sink | None) -> RunResult:
    config = chosen.config()
    seed, components = seed_of(config), components_of(chosen.with_objects())
    check_ignored(config, chosen.choices, components.problem.target)
    problem, plan, suite, mesh = components.problem, components.plan, components.suite, components.mesh()
    check_memory(problem, plan, suite)
    keep_compiled_programs()
    sink, say = progress or Sink(), printer(progress)
    call = one_callback(problem, callbacks)

    def on_evaluation(record: Record, params: PyTree) -> bool:
        sink.log(record["step"], {name: value for name, value in record.items() if name != "step"})
        return call(record, params)

    with devices.active(mesh):
        reference = fixed_reference(suite, problem)
        sink.start(RunHeader("", chosen.name(), Path(), config, plan.n_steps, floor=reference.floor))
        try:
            trained = train_in_memory(
                problem,
                plan,
                suite,
                reference,
                jax.random.key(seed),
                sink.progress,
                on_evaluation,
                components.devices.save_signals,
                say,
            )
        finally:
            sink.finish({})
    return RunResult(
        status=trained.status,
        config=config,
        records=trained.records,
        floor={name: (floor.mean, floor.sd) for name, floor in reference.floor.items()},
        generator=problem.generator,
        params=on_one_device(ema.of(problem.ema_decay, trained.state.ema_params)),
        steps=np.asarray(list(trained.samples)),
        samples=np.stack(list(trained.samples.values())),
        targets=np.asarray(problem.target.in_data_units(reference.y[: plan.n_snapshot])),
        modes=modes_of(problem.target),
        divergence=trained.divergence,
        name=chosen.name(),
        standardisation=problem.target.standardisation,
        warnings=trained.warnings,
        column_names=problem.target.column_names,
        manifold=problem.manifold.name,
    )
