"""Shared by all tests: run-time shape checks, skewed clouds, and a way to run the command line."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")  # for what is spread over a mesh; all else runs on the first
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # thousands of small programs, each needed once
# Tests are mostly compilation, which this makes a third shorter. `make test-slow` holds the laws on optimised programs.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does, before BLAS is loaded

import jaxtyping

from gmdwgf.engine.vector_width import FLAG, use_whole_vectors

# What is computed here and in a process of its own is the same, bit for bit: with the vectors that the command uses where programs
# are optimised, with shorter ones, which compile sooner, where they are not.
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "true":
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAG}=256".strip()
else:
    use_whole_vectors()

ARRAY_ROOMS = (
    "pairs",
    "manifolds",
    "transport",
    "drifts",
    "generators",
    "features",
    "targets",
    "metrics",
    "training.step",
)
jaxtyping.install_import_hook([f"gmdwgf.{room}" for room in ARRAY_ROOMS], "beartype.beartype")

import subprocess
import sys

import jax
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """Forget what is compiled when there is much of it: with gigabytes of programs in a process XLA has been seen to crash."""
    yield
    maps = Path("/proc/self/maps")
    if maps.is_file() and maps.read_bytes().count(b"\n") > 6_000:
        jax.clear_caches()


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def skewed_clouds(n: int = 13, m: int = 17, d: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of unequal size without any symmetry: a symmetric pair would hide a flipped sign."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * 0.8 + 0.3
    y = rng.gamma(2.0, 0.5, size=(m, d)) * np.linspace(1.0, 0.6, d) - 0.2
    return x, y


@pytest.fixture
def clouds():
    return skewed_clouds()


@pytest.fixture
def no_wandb_account(tmp_path_factory, monkeypatch):
    """No key of wandb, no settings of a person, and no memory of a server that did not answer."""
    from gmdwgf.tracking import wandb as module

    home = str(tmp_path_factory.mktemp("home"))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, home)
    monkeypatch.setenv("NETRC", f"{home}/netrc")
    monkeypatch.setattr(module, "_unanswered", {})
    yield
    import wandb

    wandb.teardown()


def user_environment(home: Path) -> dict[str, str]:
    """The environment of a user whose home is `home`; compiled programs are shared between the tests."""
    environment = os.environ | {"HOME": str(home), "WANDB_MODE": "disabled", "COLUMNS": "200"}
    environment |= {"JAX_ENABLE_COMPILATION_CACHE": "true"}
    environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / "gmdwgf-tests-xla"))
    for name in ("HYDRA_FULL_ERROR", "JAX_NUM_CPU_DEVICES"):
        environment.pop(name, None)
    return environment


def gmdwgf(*arguments: str, cwd: Path, **kwargs) -> subprocess.CompletedProcess:
    """Run `python -m gmdwgf.train` as a user would, in the folder `cwd`."""
    return subprocess.run(
        [sys.executable, "-m", "gmdwgf.train", *arguments],
        cwd=cwd,
        env=user_environment(cwd) | kwargs.pop("env", {}),
        capture_output=True,
        text=True,
        timeout=300,
        **kwargs,
    )


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run the command in this process, in an empty folder; returns (exit code, standard output, standard error)."""
    from gmdwgf import train

    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gmdwgf", *arguments])
        code = 0
        try:
            train.cli()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
