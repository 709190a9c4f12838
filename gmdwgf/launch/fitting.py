"""Training from Python: `gmdwgf.fit`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gmdwgf.engine import devices
from gmdwgf.engine.compilation import keep_compiled_programs
from gmdwgf.engine.in_memory import train_in_memory
from gmdwgf.engine.monitor import divergence, fixed_reference
from gmdwgf.engine.vector_width import use_whole_vectors
from gmdwgf.launch.callbacks import Callback, on_one_device, one_callback
from gmdwgf.launch.chosen import Chosen, choose
from gmdwgf.launch.components import components_of
from gmdwgf.launch.fitting_in_folder import fit_in_folder
from gmdwgf.launch.layout import seed_of
from gmdwgf.launch.result import RunResult, modes_of
from gmdwgf.mappings import Record
from gmdwgf.optim.schedules import AbstractSchedule
from gmdwgf.tracking import RunHeader, Sink
from gmdwgf.tracking.notebook import default_progress
from gmdwgf.training import ema


def fit(
    target: Any,
    drift: Any,
    *,
    generator: Any = "mlp",
    optimizer: Any = None,
    n_steps: int | None = None,
    seed: int = 0,
    callbacks: Callback | Sequence[Callback] = (),
    folder: str | Path | None = None,
    progress: bool = True,
    n_devices: int | None = None,
    condition: Any = None,
    features: Any = None,
    schedules: Mapping[str, AbstractSchedule] | None = None,
    **numbers: Any,
) -> RunResult:
    """Train a one-step generator on a target with a drift: the same steps and the same numbers as `python -m gmdwgf.train`.

        result = gmdwgf.fit("eight_gaussians", "kl", n_steps=1000, batch_size=256)
        result.plot()                                    # samples over targets, MMD^2 with the band of fresh data
        x = result.sample(jax.random.key(0), 500)        # [500 d]

    Flow: at every step `batch_size` points x = f(z) of the generator and `n_targets` points y of the target are drawn, the drift
    says where each x should go, and the generator is regressed on x + eta v (`gmdwgf.train_step`). Every `eval_every` steps the
    averaged generator is scored against held-out points, which makes a record, beside a floor: what fresh data score.

    Takes:
    - `target`: the name of a config (`configs/dataset/`) or of a YAML file; an array `[N d]` (NumPy, JAX, pandas, PyTorch), of
      which a fifth is held out as with dataset=array; a function `(key, n) -> [n d]` of JAX; or an object,
      `gmdwgf.load_target("pinwheel", n_arms=3)`.
    - `drift`: a name, or an object: `gmdwgf.load_drift("kl", bandwidth=0.5)`, `gmdwgf.drifts.KLDrift(...)`, one of your own.
    - `generator`, `optimizer`, `condition`, `features`: a name or an object; without an `optimizer` the one that goes with the
      generator, `euler` for `particles` and `adam` otherwise. `condition` and `features` may be left out.
    - `schedules`: fields of the drift that change over the run, `{"bandwidth": gmdwgf.optim.Exponential(...)}`.
    - `n_steps`, and `numbers`: fields of `training` (`batch_size`, `eta`, `ema_decay`, `eval_every`), of the optimiser
      (`learning_rate`), of the generator (`width`) and of the metrics (`n_samples`), by their names in the YAML files. No name
      is in two of them. What is not given is as in `configs/`: 6,000 steps, so give `n_steps` for a try.
    - `seed`: of all randomness, 0 .. 2^32 - 1.
    - `callbacks`: called at every evaluation, also at step 0, as `callback(step, record, sample)`; `sample(key, n)` may be kept.
      One that returns true ends the training, which is then `interrupted`.
    - `progress`: a bar on a terminal, a line in a notebook; False shows nothing.
    - `n_devices`: how many share the particles of a step, all there are by default; `batch_size` must be a multiple of it.
    - `folder`: where runs are kept (the command's `paths.root`). The run gets a folder of its own in there, with the id and the
      files that the command would give it: the same call again gives back the finished run or goes on from the last checkpoint.
      An array is saved beside the runs, and its content decides the id. A function cannot be kept in a folder, since nothing
      in a config could name it, nor can an object whose fields do not say all of it. wandb is off.

    Units: those of the fields, in data units where the YAML files say so. Ctrl-C ends the training after the current chunk and
    gives back what there is (a second Ctrl-C raises). The same seed and numbers give the same parameters, to the bit, as the command
    on the same devices, provided that JAX was started by gmdwgf, which settles the width of the vectors it computes with.

    Errors: ConfigError with the key, the value and the fix, before anything is compiled; for an unknown word the nearest known.
    """
    use_whole_vectors()
    callbacks = [callbacks] if callable(callbacks) else list(callbacks)
    components = {"generator": generator, "optimizer": optimizer, "condition": condition, "features": features}
    chosen = choose(target, drift, **components, schedules=schedules, seed=seed, n_steps=n_steps, **numbers)
    chosen.cfg.devices.n = n_devices
    if folder is None:
        return _fit_in_memory(chosen, callbacks, default_progress() if progress else Sink())
    return fit_in_folder(chosen, Path(folder).expanduser(), callbacks, default_progress() if progress else None)


def _fit_in_memory(chosen: Chosen, callbacks: Sequence[Callback], sink: Sink) -> RunResult:
    config = chosen.config()
    seed, components = seed_of(config), components_of(chosen.with_objects())
    problem, plan, suite, mesh = components.problem, components.plan, components.suite, components.mesh()
    keep_compiled_programs()
    call = one_callback(problem.generator, callbacks)

    def on_evaluation(record: Record, params: Any) -> bool:
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
        targets=np.asarray(reference.y[: plan.n_snapshot]),
        modes=modes_of(problem.target),
        divergence=divergence(trained.state),
        name=chosen.name(),
    )
