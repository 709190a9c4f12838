"""Training from Python: `gmdwgf.fit`, in memory or in a run folder as the command keeps it."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gmdwgf.config.build import ConfigError, load_node
from gmdwgf.engine.vector_width import use_whole_vectors
from gmdwgf.files import replaced_atomically
from gmdwgf.launch.chosen import Components, choose
from gmdwgf.launch.result import RunResult
from gmdwgf.optim.schedules import AbstractSchedule
from gmdwgf.tracking import RunInfo, Sink
from gmdwgf.tracking.notebook import default_progress

Callback = Callable[[int, dict[str, Any], Callable], bool | None]
"""Called as `callback(step, record, sample)`; `sample(key, n)` gives points of the averaged generator as it is at that step."""


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
    pieces = {"generator": generator, "optimizer": optimizer, "condition": condition, "features": features}
    chosen = choose(target, drift, **pieces, schedules=schedules, seed=seed, n_steps=n_steps, **numbers)
    chosen.cfg.devices.n = n_devices
    if folder is None:
        return _fit_in_memory(chosen, callbacks, default_progress() if progress else Sink())
    return _fit_in_folder(chosen, Path(folder).expanduser(), callbacks, progress)


def _fit_in_memory(chosen: Components, callbacks: Sequence[Callback], sink: Sink) -> RunResult:
    from gmdwgf.engine import devices
    from gmdwgf.engine.compilation import keep_compiled_programs
    from gmdwgf.engine.in_memory import train_in_memory
    from gmdwgf.engine.monitor import divergence, fixed_reference
    from gmdwgf.launch.layout import seed_of
    from gmdwgf.launch.spec import make_run_mesh
    from gmdwgf.training import ema

    config = chosen.config()
    seed, pieces = seed_of(config), chosen.build()
    problem, plan, suite, mesh = pieces["problem"], pieces["training"], pieces["metrics"], make_run_mesh(pieces)
    keep_compiled_programs()
    call = _callback(problem.generator, callbacks)

    def on_evaluation(record: dict[str, Any], params: Any) -> bool:
        sink.log(record["step"], {name: value for name, value in record.items() if name != "step"})
        return call(record, params)

    with devices.active(mesh):
        reference = fixed_reference(suite, problem)
        sink.start(RunInfo("", _name(chosen), Path(), config, plan.n_steps, floor=reference.floor))
        try:
            trained = train_in_memory(
                problem,
                plan,
                suite,
                reference,
                jax.random.key(seed),
                sink.progress,
                on_evaluation,
                pieces["devices"].save_signals,
            )
        finally:
            sink.finish({})
    return RunResult(
        status=trained.status,
        config=config,
        records=trained.records,
        floor={name: (floor.mean, floor.sd) for name, floor in reference.floor.items()},
        generator=problem.generator,
        params=_on_one_device(ema.of(problem.ema_decay, trained.state.ema_params)),
        steps=np.asarray(list(trained.samples)),
        samples=np.stack(list(trained.samples.values())),
        targets=np.asarray(reference.y[: plan.n_snapshot]),
        modes=_modes(problem.target),
        divergence=divergence(trained.state),
        name=_name(chosen),
    )


def _fit_in_folder(chosen: Components, root: Path, callbacks: Sequence[Callback], progress: bool) -> RunResult:
    from gmdwgf.launch import spec as jobs
    from gmdwgf.runs.standing import FINISHED

    chosen = _kept_in(chosen, root)
    chosen.cfg.paths.root = str(root.absolute())
    chosen.cfg.tracking.progress, chosen.cfg.tracking.wandb.mode = progress, "disabled"
    job = jobs.describe(chosen.cfg, chosen.choices)._replace(command=["gmdwgf.fit"])
    pieces = jobs.prepare(job)
    for group, value in chosen.objects.items():
        _check_same(group, value, pieces["drift"].drift if group == "drift" else pieces[group])
    job, state = jobs.meet(job)
    if state not in FINISHED:
        say = _speaker(progress)
        call = _callback(pieces["problem"].generator, callbacks)
        state = jobs.carry_out(job, say, lambda line: None, progress=default_progress(), on_evaluation=call)["status"]
    return _read_back(job, pieces, state, _name(chosen))


def _kept_in(chosen: Components, root: Path) -> Components:
    """The same components, all of which a config can name; an array is saved in `root` by a hash of its content."""
    if chosen.rows is not None:
        content = io.BytesIO()
        np.save(content, chosen.rows, allow_pickle=False)
        path = root.absolute() / "arrays" / f"{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced_atomically(path) as temporary:
                temporary.write_bytes(content.getvalue())
        chosen.cfg["dataset"] = load_node("dataset", "array", {"path": str(path)})
        objects = {group: value for group, value in chosen.objects.items() if group != "dataset"}
        chosen = chosen._replace(objects=objects, unnamed=[group for group in chosen.unnamed if group != "dataset"])
    if chosen.unnamed:
        group = chosen.unnamed[0]
        fix = "has no config that another process could build it from, so that no folder can keep the run: leave out folder="
        raise ConfigError("target" if group == "dataset" else group, chosen.choices[group], fix)
    return chosen


def _check_same(group: str, given: Any, built: Any) -> None:
    """Raise ConfigError unless the config builds what was given, to the bit."""
    bits = lambda tree: [(leaf.shape, np.asarray(leaf).tobytes()) for leaf in map(jnp.asarray, jax.tree.leaves(tree))]
    if type(given) is not type(built) or bits(given) != bits(built):
        raise ConfigError(group, type(given).__name__, "is not what its fields say, so that no folder can keep the run")


def _read_back(job: Any, pieces: dict[str, Any], status: str, name: str) -> RunResult:
    """The result of a run from its folder."""
    from gmdwgf.engine.checkpoints import Checkpoints, as_state
    from gmdwgf.engine.monitor import fixed_reference
    from gmdwgf.launch.layout import seed_of
    from gmdwgf.runs import snapshots
    from gmdwgf.tracking import jsonl
    from gmdwgf.training import ema
    from gmdwgf.training.state import initial_state

    problem, folder, problems = pieces["problem"], job.folder, []
    checkpoints = Checkpoints(folder.checkpoints, problems.append, writing=False)
    like = initial_state(problem, jax.random.key(seed_of(job.config)))
    found = checkpoints.latest(like)
    checkpoints.close()
    if found is None:
        raise ConfigError("folder", folder.path, "; ".join(["has no readable checkpoint", *problems]))
    ending = folder.ending()
    floor = ending.get("floor") or fixed_reference(pieces["metrics"], problem).floor
    kept = snapshots.read(folder.samples)
    return RunResult(
        status=status,
        config=job.config,
        records=jsonl.read(folder.metrics),
        floor={metric: (float(mean), float(sd)) for metric, (mean, sd) in floor.items()},
        generator=problem.generator,
        params=_on_one_device(ema.of(problem.ema_decay, as_state(found[0], like).ema_params)),
        steps=kept["steps"],
        samples=kept["x"],
        targets=kept["y"],
        modes=_modes(problem.target),
        divergence={key: value for key, value in ending.items() if key.startswith("diverged_")},
        name=name,
        folder=folder.path,
    )


def _callback(generator: Any, callbacks: Sequence[Callback]) -> Callable[[dict[str, Any], Any], bool]:
    """All callbacks as one function of a record and the averaged parameters, which it copies: the next step uses them up."""

    def call(record: dict[str, Any], params: Any) -> bool:
        if not callbacks:
            return False
        kept = _on_one_device(params)
        sample = lambda key, n, condition=None: generator.sample(kept, key, n, condition)
        return any([bool(callback(record["step"], dict(record), sample)) for callback in callbacks])

    return call


def _on_one_device(params: Any) -> Any:
    """A copy of the parameters, not spread over the mesh of the run."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.array(leaf)), params)


def _modes(target: Any) -> np.ndarray | None:
    modes = target.modes()
    return None if modes is None else np.asarray(modes[0])


def _name(chosen: Components) -> str:
    return f"{chosen.choices['dataset']}-{chosen.choices['drift']}"


def _speaker(progress: bool) -> Callable[[str], None]:
    from rich.console import Console

    console = Console(quiet=not progress, highlight=False, soft_wrap=True, force_jupyter=False)
    return lambda line: console.print(line, markup=False)
