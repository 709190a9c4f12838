"""What the PyTorch loops share: a perceptron, batches of a target, threads (the extra `benchmark`)."""

import functools
import importlib
import importlib.util
import os
from typing import Any

import jax
import numpy as np

import gmdwgf
from contenders import N_POOL

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None


def use_threads(n: int | None) -> None:
    """Let PyTorch use `n` threads, by default one for each core that this process may use, as XLA does."""
    torch.set_num_threads(n or len(os.sched_getaffinity(0)))


def perceptron(n_in: int, depth: int, width: int = 256) -> Any:
    """`depth` hidden layers with SiLU, two outputs, initialised as PyTorch does."""
    layers, sizes = [], [n_in, *[width] * depth]
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.SiLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 2))


@functools.cache
def pool(target: str) -> Any:
    """Many points `[N_POOL 2]` of a target of this repository; drawing rows of them costs less than sampling it would."""
    return torch.from_numpy(np.array(gmdwgf.load_target(target).sample(jax.random.key(2**21), N_POOL)))


def batch(points: Any, n: int) -> Any:
    """`n` rows at random."""
    return points[torch.randint(len(points), (n,))]
