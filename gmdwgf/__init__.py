"""Train one-step generative models by drifting, and study the drifts as Wasserstein gradient flows.

import gmdwgf
result = gmdwgf.fit("eight_gaussians", "kl", n_steps=1000)
drift = gmdwgf.load_drift("deng", temperature=0.5)
target = gmdwgf.load_target("pinwheel")
run = gmdwgf.load_run("runs/eight_gaussians-sinkhorn-1a2b3c4d")
table = gmdwgf.load_runs("runs")
sources = gmdwgf.cite("sinkhorn")
"""

from typing import TYPE_CHECKING, Any

from gmdwgf.exports import lazy

if TYPE_CHECKING:
    from gmdwgf import (
        drifts as drifts,
        generators as generators,
        metrics as metrics,
        optim as optim,
        plots as plots,
        targets as targets,
    )
    from gmdwgf.analysis.table import load_runs as load_runs
    from gmdwgf.config.build import ConfigError as ConfigError
    from gmdwgf.drifts.citing import cite as cite
    from gmdwgf.launch.chosen import make_problem as make_problem
    from gmdwgf.launch.fitting import fit as fit
    from gmdwgf.launch.loading import (
        LoadedRun as LoadedRun,
        load_drift as load_drift,
        load_run as load_run,
        load_target as load_target,
    )
    from gmdwgf.launch.result import RunResult as RunResult
    from gmdwgf.training.problem import Problem as Problem
    from gmdwgf.training.state import TrainState as TrainState, initial_state as initial_state
    from gmdwgf.training.step import train_step as train_step

    __version__: str

# Imported on first access, so that `gmdwgf --help` does not import jax.
_get, _names, __all__ = lazy(
    __name__,
    {
        "gmdwgf.launch.chosen": ["make_problem"],
        "gmdwgf.config.build": ["ConfigError"],
        "gmdwgf.drifts.citing": ["cite"],
        "gmdwgf.launch.fitting": ["fit"],
        "gmdwgf.launch.loading": ["LoadedRun", "load_drift", "load_run", "load_target"],
        "gmdwgf.launch.result": ["RunResult"],
        "gmdwgf.analysis.table": ["load_runs"],
        "gmdwgf.training.problem": ["Problem"],
        "gmdwgf.training.state": ["TrainState", "initial_state"],
        "gmdwgf.training.step": ["train_step"],
    },
)

_PACKAGES = ("drifts", "generators", "metrics", "optim", "plots", "targets")
"""Subpackages imported on first access, as in `gmdwgf.drifts.KLDrift`."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("gmdwgf")
    if name in _PACKAGES:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    return _get(name)


def __dir__() -> list[str]:
    return sorted([*_names(), *_PACKAGES, "__version__"])
