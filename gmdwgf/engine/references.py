"""Held-out points and floors of a run, computed once in a process and the floors once on a machine."""

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gmdwgf.engine import multihost
from gmdwgf.engine.checkpoints import digest, to_host
from gmdwgf.engine.compilation import cache_folder
from gmdwgf.files import write_atomically
from gmdwgf.metrics.floors import Floor
from gmdwgf.metrics.suite import MetricSuite, Reference
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.energies import OwnEnergyTarget
from gmdwgf.targets.functions import FunctionTarget
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import purpose
from gmdwgf.typing import Particles

_references: dict[Any, Reference] = {}
"""References of the runs of this process: a sweep computes one for each target instead of one for each run."""


def fixed_reference(suite: MetricSuite, problem: Problem) -> Reference:
    """Held-out points and floors, the same for every seed and drift, so that runs are comparable.

    The floor is computed for clouds of the size that will be evaluated, which can be smaller for free particles. Floors of the
    included targets are stored in the user's cache folder, since computing them takes seconds.
    """
    n = jax.eval_shape(lambda: _samples_at_start(problem, suite.n_samples)).shape[0]
    asked = (suite, problem.target, problem.manifold)
    name = (n, jax.tree.structure(asked), digest(to_host(asked)), jax.sharding.get_mesh())
    if name not in _references:
        key = purpose(jax.random.key(0), jnp.zeros((), int), "reference")
        path = _file_of_floor(problem.target, name)
        floor = _read(path)
        _references[name] = suite.prepare(problem.target, key, n=n, floor=floor, manifold=problem.manifold)
        if floor is None:
            _write(path, _references[name].floor)
    return _references[name]


def _samples_at_start(problem: Problem, n: int) -> Particles:
    key = jax.random.key(0)
    params = problem.generator.init(key, problem.batch_size, problem.target.dim, problem.n_classes)
    return problem.generator.sample(params, key, n, problem.evaluation(n))


def _file_of_floor(target: AbstractTarget, name: tuple) -> Path | None:
    """File of a floor; None where arrays and our code do not determine it, and without the compilation cache.

    Several processes compute the floor together, so all of them would need the same file.
    """
    told = " ".join(map(str, name))
    is_included = type(target).__module__.startswith("gmdwgf.") and not isinstance(
        target, FunctionTarget | OwnEnergyTarget
    )
    is_included = is_included and " at 0x" not in told
    if multihost.is_multiprocess() or not (is_included and jax.config.jax_enable_compilation_cache):  # pyright: ignore[reportAttributeAccessIssue]
        return None
    machine = f"{jax.__version__} {jax.default_backend()} {jax.device_count()} {os.environ.get('XLA_FLAGS', '')}"
    total = hashlib.sha256(f"{_hash_of_code()} {machine} {jax.config.jax_enable_x64} {told}".encode())  # pyright: ignore[reportAttributeAccessIssue]
    return cache_folder() / "floors" / f"{total.hexdigest()[:32]}.json"


@functools.cache
def _hash_of_code() -> str:
    """Hash of the source files that floors are computed with."""
    total, root = hashlib.sha256(), Path(__file__).parents[1]
    for package in ("data", "features", "manifolds", "metrics", "networks", "pairs", "targets"):
        for path in sorted((root / package).rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()


def _read(path: Path | None) -> dict[str, Floor] | None:
    """The stored floor; None without a file, or if it is damaged, in which case it is computed and written again."""
    try:
        kept = {} if path is None else json.loads(path.read_text())
        return {str(name): Floor(float(mean), float(sd)) for name, (mean, sd) in kept.items()} or None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _write(path: Path | None, floor: dict[str, Floor]) -> None:
    """Store a floor, unless it has no file or the folder cannot be written to."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(floor))
    except OSError:
        pass  # a cache only
