"""Advance runs that differ only in traced numbers by one compiled program with a leading axis of runs."""

import functools
import math
import os
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gmdwgf.engine.checkpoints import from_host, to_host
from gmdwgf.engine.monitor import ChunkResult
from gmdwgf.engine.serial import never
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import TrainState, copied
from gmdwgf.training.step import chunk

RUNS = "runs"
"""Mesh axis along which runs are sharded."""


def signature(tree: Any) -> tuple:
    """Structure, shapes and dtypes of a pytree; runs with equal signatures can share a program."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)


class VectorizedExecutor:
    """Executor that advances all runs at once; runs without a stop and diverged runs keep their state.

    Runs are sharded over devices. On accelerators and on a single device they are batched by `vmap`; several CPU devices each scan
    over their runs, because batching is slower there. If `memory` (bytes) is too small for all runs, they are advanced in parts.
    Results agree with those of single runs up to rounding.
    """

    def __init__(
        self,
        problems: list[Problem],
        states: list[TrainState],
        chunk_size: int,
        *,
        n_devices: int | None = None,
        memory: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.clock = clock
        devices = jax.devices()[:n_devices][: len(problems)]
        self.mesh = jax.make_mesh((len(devices),), (RUNS,), axis_types=(AxisType.Auto,), devices=devices)
        self.like, self.chunk_size = states[0], chunk_size
        self.shared, self.varying = _shared(problems), [_varying(problem, problems) for problem in problems]
        self.shared = jax.device_put(self.shared, NamedSharding(self.mesh, PartitionSpec()))
        plain = [to_host(state) for state in states]
        self.width = math.ceil(len(problems) / len(devices)) * len(devices)
        while not self._fits(plain, _free_memory(devices) if memory is None else memory):
            self.width = max(self.width // 2 // len(devices), 1) * len(devices)
        self.states = [self._stacked_states(plain, part) for part in self.parts]
        self._fetched: dict[int, Any] = {}

    def _fits(self, plain: list, memory: float) -> bool:
        """Compile the program for parts of `width` runs; returns whether it fits into memory or cannot be smaller."""
        n, width = len(plain), self.width
        starts = range(0, n, width)
        self.parts = [[row if row < n else start for row in range(start, start + width)] for start in starts]
        arguments = self._arguments(0, self._stacked_states(plain, self.parts[0]), {})
        self.compiled = chunk_together.lower(self.mesh, self.chunk_size, *arguments).compile()
        need: Any = self.compiled.memory_analysis()
        needed = need.temp_size_in_bytes + need.argument_size_in_bytes + need.output_size_in_bytes
        return needed * _sharing_memory(self.mesh) <= memory or width == self.mesh.size

    def peek(self) -> list[dict[str, float]]:
        """Uses the same compiled program, on copies of the states."""
        logs: dict[int, dict[str, float]] = {}
        for number, state in enumerate(self.states):
            copy = copied(state)
            stops = dict(zip(self.parts[number], np.asarray(copy.step + 1).tolist(), strict=True))
            logs |= {row: moved.logs for row, moved in self._advance(number, copy, stops)[1].items()}
        return [logs[row] for row in sorted(logs)]

    def advance(self, stops: dict[int, int], stopping: Callable[[], bool] = never) -> dict[int, ChunkResult]:
        moves: dict[int, ChunkResult] = {}
        for number, part in enumerate(self.parts):
            if moves and stopping():
                break
            if wanted := {row: stop for row, stop in stops.items() if row in part}:
                began = self.clock()
                self.states[number], moved = self._advance(number, self.states[number], wanted)
                seconds = max(self.clock() - began, 0.0)
                times = {"seconds": seconds / len(wanted), "call": seconds}
                moves |= {row: moved[row]._replace(**times) for row in wanted}
        self._fetched = {}
        return moves

    def state(self, row: int) -> TrainState:
        number = row // self.width
        if number not in self._fetched:
            self._fetched[number] = to_host(self.states[number])
        place = self.parts[number].index(row)
        return from_host(jax.tree.map(lambda leaf: leaf[place], self._fetched[number]), self.like)

    def _advance(
        self, number: int, state: TrainState, stops: dict[int, int]
    ) -> tuple[TrainState, dict[int, ChunkResult]]:
        state, last = self.compiled(*self._arguments(number, state, stops))
        steps, diverged, last = jax.device_get((state.step, state.health.diverged, last))
        moves = {}
        for place, row in list(enumerate(self.parts[number]))[
            ::-1
        ]:  # a padded part repeats runs; the first copy counts
            logs = {name: float(values[place]) for name, values in last.items()}
            moves[row] = ChunkResult(int(steps[place]), bool(diverged[place]), logs, 0.0, 0.0)
        return state, moves

    def _arguments(self, number: int, state: TrainState, stops: dict[int, int]) -> tuple:
        """Arguments of the program; runs without a stop and padding take no steps."""
        part = self.parts[number]
        first = [row not in part[:place] for place, row in enumerate(part)]
        stop = np.asarray([stops.get(row, 0) if new else 0 for row, new in zip(part, first, strict=True)], int)
        varying, stop = self._spread((_stack([self.varying[row] for row in part]), stop.astype(state.step.dtype)))
        return self.shared, varying, state, stop

    def _stacked_states(self, plain: list, part: list[int]) -> TrainState:
        return self._spread(from_host(_stack([plain[row] for row in part]), self.like))

    def _spread(self, tree: Any) -> Any:
        return jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec(RUNS)))


@functools.partial(jax.jit, static_argnames=("mesh", "chunk_size"), donate_argnames="states")
def chunk_together(
    mesh: Mesh, chunk_size: int, shared: Problem, varying: Problem, states: TrainState, stops: jax.Array
):
    """Apply `chunk` to every run; its problem combines shared and varying leaves."""

    def one(shared, own, state, stop):
        return chunk(eqx.combine(shared, own), state, stop, chunk_size=chunk_size)

    def some(shared, *runs):
        if _sharing_memory(mesh) > 1:
            return jax.lax.map(lambda run: one(shared, *run), runs)
        return jax.vmap(lambda *run: one(shared, *run))(*runs)

    along, everywhere = PartitionSpec(RUNS), PartitionSpec()
    spread = jax.shard_map(
        some, mesh=mesh, in_specs=(everywhere, along, along, along), out_specs=along, check_vma=False
    )
    return spread(shared, varying, states, stops)


def _sharing_memory(mesh: Mesh) -> int:
    """Number of devices of the mesh that share one memory: all on a CPU, otherwise 1."""
    return mesh.size if mesh.devices.flat[0].platform == "cpu" else 1


def _free_memory(devices: list) -> float:
    """Memory in bytes that a program may use on one device; half of the machine's memory on CPUs (ours)."""
    if stats := devices[0].memory_stats():
        return 0.9 * (stats["bytes_limit"] - stats["bytes_in_use"])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2


def _shared(problems: list[Problem]) -> Problem:
    """Leaves that are equal for all runs, with None for the others, so that they are stored only once."""
    return jax.tree.map(lambda *leaves: leaves[0] if _same(leaves) else None, *problems)


def _varying(problem: Problem, problems: list[Problem]) -> Problem:
    """Leaves of one run that are not shared by all runs."""
    return jax.tree.map(lambda own, *leaves: None if _same(leaves) else np.asarray(own), problem, *problems)


def _same(leaves: tuple) -> bool:
    return all(leaf is leaves[0] or np.array_equal(leaf, leaves[0]) for leaf in leaves)


def _stack(trees: list) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
