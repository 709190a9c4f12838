"""`gmdwgf.fit` in a run folder, with the same name, id and files as from the command line."""

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from gmdwgf.config.build import ConfigError, load_node
from gmdwgf.engine.checkpoints import Checkpoints, from_host
from gmdwgf.engine.references import fixed_reference
from gmdwgf.files import replaced_atomically
from gmdwgf.launch.callbacks import Callback, on_one_device, one_callback
from gmdwgf.launch.chosen import Chosen
from gmdwgf.launch.components import Components, build_components
from gmdwgf.launch.execute import execute, join_processes
from gmdwgf.launch.layout import seed_of
from gmdwgf.launch.result import RunResult, modes_of
from gmdwgf.launch.spec import RunSpec, make_spec
from gmdwgf.runs import snapshots
from gmdwgf.runs.standing import FINISHED
from gmdwgf.tracking import Sink, jsonl
from gmdwgf.training import ema
from gmdwgf.training.state import initial_state
from gmdwgf.typing import PyTree

if TYPE_CHECKING:
    import pyarrow as pa


def fit_in_folder(chosen: Chosen, root: Path, callbacks: Sequence[Callback], progress: Sink | None) -> RunResult:
    """Train in a run folder in `root` like the command: start or resume the run, or load it if it is finished."""
    chosen = _kept_in(chosen, root)
    chosen.cfg.paths.root = str(root.absolute())
    chosen.cfg.tracking.progress, chosen.cfg.tracking.wandb.mode = progress is not None, "disabled"
    spec = make_spec(chosen.cfg, chosen.choices)._replace(command=["gmdwgf.fit"])
    components = build_components(spec)
    problem = components.problem
    built = {"dataset": problem.target, "drift": components.drift.drift}
    built |= {"optimizer": problem.optimizer, "condition": problem.condition, "features": problem.features}
    built |= {"manifold": problem.manifold, "generator": getattr(problem.generator, "generator", problem.generator)}
    for group, value in chosen.objects.items():
        _check_same(group, value, built[group])
    spec, state = join_processes(spec)
    if state not in FINISHED:
        say = printer(progress)
        call = one_callback(problem, callbacks)
        state = execute(spec, say, lambda line: None, progress=progress, on_evaluation=call)["status"]
    return _read_back(spec, components, state, chosen.name())


def printer(progress: Sink | None) -> Callable[[str], None]:
    """Function that prints a line, or does nothing if no progress is shown."""
    console = Console(quiet=progress is None, highlight=False, soft_wrap=True, force_jupyter=False)
    return lambda line: console.print(line, markup=False)


def _kept_in(chosen: Chosen, root: Path) -> Chosen:
    """Check that a config can name all components, after saving an array target in `root` under a hash of its content."""
    if chosen.rows is not None:
        content, suffix = _contents(chosen.rows)
        path = root.absolute() / "arrays" / f"{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced_atomically(path) as temporary:
                temporary.write_bytes(content)
        chosen.cfg["dataset"] = load_node("dataset", "array", {"path": str(path)})
        objects = {group: value for group, value in chosen.objects.items() if group != "dataset"}
        chosen = chosen._replace(objects=objects, unnamed=[group for group in chosen.unnamed if group != "dataset"])
    if chosen.unnamed:
        group = chosen.unnamed[0]
        fix = "cannot be described by a config, so the run cannot be saved to a folder: omit folder="
        raise ConfigError("target" if group == "dataset" else group, chosen.choices[group], fix)
    return chosen


def _contents(rows: "np.ndarray | pa.Table") -> tuple[bytes, str]:
    """The bytes and suffix of a file with an array or table."""
    content = io.BytesIO()
    if isinstance(rows, np.ndarray):
        np.save(content, rows, allow_pickle=False)
        return content.getvalue(), ".npy"
    from pyarrow import parquet

    parquet.write_table(rows, content)
    return content.getvalue(), ".parquet"


def _check_same(group: str, given: PyTree, built: PyTree) -> None:
    """Raise ConfigError unless the config builds the given object, to the bit."""
    bits = lambda tree: [(leaf.shape, np.asarray(leaf).tobytes()) for leaf in map(jnp.asarray, jax.tree.leaves(tree))]
    if type(given) is not type(built) or bits(given) != bits(built):
        raise ConfigError(
            group,
            type(given).__name__,
            "is not determined by its fields, so no folder can store the run: omit folder=",
        )


def _read_back(spec: RunSpec, components: Components, status: str, name: str) -> RunResult:
    """Load the result of a run from its folder."""
    problem, folder, problems = components.problem, spec.folder, []
    checkpoints = Checkpoints(folder.checkpoints, problems.append, writing=False)
    like = initial_state(problem, jax.random.key(seed_of(spec.config)))
    found = checkpoints.latest(like)
    checkpoints.close()
    if found is None:
        raise ConfigError("folder", folder.path, "; ".join(["has no readable checkpoint", *problems]))
    ending = folder.ending()
    floor = ending.get("floor") or fixed_reference(components.suite, problem).floor
    kept = snapshots.read(folder.samples)
    return RunResult(
        status=status,
        config=spec.config,
        records=jsonl.read_records(folder.metrics),
        floor={metric: (float(mean), float(sd)) for metric, (mean, sd) in floor.items()},
        generator=problem.generator,
        params=on_one_device(ema.of(problem.ema_decay, from_host(found[0], like).ema_params)),
        steps=kept["steps"],
        samples=kept["x"],
        targets=kept["y"],
        modes=modes_of(problem.target),
        divergence={key: value for key, value in ending.items() if key.startswith("diverged_")},
        name=name,
        folder=folder.path,
        standardisation=problem.target.standardisation,
        warnings=folder.warnings(),
        column_names=problem.target.column_names,
    )
