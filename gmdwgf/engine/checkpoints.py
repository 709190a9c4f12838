"""Orbax checkpoints that survive a kill at any moment and a damaged newest one.

Kept: the two latest (so that a damaged one has a predecessor) and the best, which is the one with the lowest metric among
those whose own parameters were scored. Orbax does not notice flipped bytes, so each checkpoint carries digests of its arrays and
of its notes, which are compared on restore. The metric is one of the notes: Orbax would keep it beside them, unchecked. What is
kept are plain arrays: it does not matter on how many devices or by how many processes they were made, or are read.
"""

import hashlib
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from gmdwgf.engine.late_errors import silence_late_errors
from gmdwgf.mappings import Facts
from gmdwgf.pairs.sharding import place_replicated
from gmdwgf.training.state import TrainState

FORMAT = 2
"""Version of what a checkpoint holds. In format 1 the notes have no digest and no metric of their own."""


class Checkpoints:
    """The checkpoints of one run. `say` gets one line whenever something is not as it should be.

    A reader (`writing=False`) changes nothing in the folder, which another process may be writing.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, writing: bool = True):
        # Orbax reports all that it writes, and logs what it also raises.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self.folder, self.say, self.writing = folder.absolute(), say, writing
        self._metrics: dict[int, float] = {}
        silence_late_errors()
        self.manager = self._open()

    def _open(self) -> ocp.CheckpointManager:
        if self.writing:
            self.folder.mkdir(parents=True, exist_ok=True)
        options = ocp.CheckpointManagerOptions(  # without a policy it keeps all: what goes is decided here
            enable_async_checkpointing=False,
            cleanup_tmp_directories=self.writing,
            create=False,
            read_only=not self.writing,
            multiprocessing_options=_alone(),
        )
        return ocp.CheckpointManager(self.folder, options=options, item_names=("state", "notes"))

    def steps(self) -> list[int]:
        """The steps of the checkpoints, in order."""
        return sorted(self.manager.all_steps())

    def save(self, state: TrainState, metric: float, notes: Facts) -> None:
        """Write the state at its step, and remove the checkpoints that are then neither among the two latest nor the best.

        `metric` is the score of these very parameters, the lower the better. Infinity or NaN: not scored, never the best.
        """
        step = int(state.step)
        if step not in self.steps():
            plain = to_host(state)
            score = float(metric) if math.isfinite(metric) else None
            notes = {"format": FORMAT, "step": step, "metric": score, "arrays": digest(plain), **notes}
            notes = json.loads(json.dumps(notes))
            notes |= {"digest": _digest_of_notes(notes)}
            items = ocp.args.Composite(state=ocp.args.StandardSave(plain), notes=ocp.args.JsonSave(notes))
            if not self.manager.save(step, args=items):
                raise RuntimeError(f"Orbax refused to save step {step} in {self.folder}")
            self.manager.wait_until_finished()
            self._metrics.pop(step, None)
        steps = self.steps()
        for old in set(steps) - {*steps[-2:], *self._ranked()[:1]}:
            self.manager.delete(old)

    def latest(self, like: Any) -> tuple[Any, Facts] | None:
        """The newest checkpoint that can be read whole, as plain arrays shaped like `like`; damaged ones are set aside."""
        for step in reversed(self.steps()):
            try:
                return self.restore(step, like)
            except Exception as error:  # Orbax raises whatever the damage leads to
                self._set_aside(step, error)
        return None

    def best(self, like: Any) -> tuple[Any, Facts] | None:
        """The readable checkpoint with the lowest metric, or the newest readable one where none was scored."""
        for step in self._ranked():
            try:
                return self.restore(step, like)
            except Exception as error:
                self.say(
                    f"the best checkpoint (step {step}) cannot be read ({_first_line(error)}); taking the next best"
                )
        return self.latest(like)

    def restore(self, step: int, like: Any) -> tuple[Any, Facts]:
        """The checkpoint at `step`, as plain arrays; raises when it cannot be read or a digest does not match."""
        target = jax.tree.map(_empty, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target), notes=ocp.args.JsonRestore())
        restored = self.manager.restore(step, args=items)
        notes = _verified(restored["notes"], step)
        if notes["digest" if notes["format"] == 1 else "arrays"] != digest(restored["state"]):
            raise ValueError("its numbers are not those that were written")
        return restored["state"], notes

    def _ranked(self) -> list[int]:
        """The steps of the checkpoints that were scored, the best first; the later one of equals."""
        scored = [step for step in self.steps() if math.isfinite(self._metric(step))]
        return sorted(scored, key=lambda step: (self._metric(step), -step))

    def _metric(self, step: int) -> float:
        """The score of a checkpoint by its notes; infinite where there is none, or where it cannot be trusted."""
        if step not in self._metrics:
            try:
                items = ocp.args.Composite(notes=ocp.args.JsonRestore())
                notes = _verified(self.manager.restore(step, args=items)["notes"], step)
                self._metrics[step] = score(notes, step)
            except Exception:
                self._metrics[step] = math.inf
        return self._metrics[step]

    def _set_aside(self, step: int, error: Exception) -> None:
        if not self.writing:
            self.say(f"checkpoint {step} is damaged ({_first_line(error)}); taking the one before")
            return
        self.manager.close()
        damaged = self.folder.parent / "damaged"
        damaged.mkdir(exist_ok=True)
        n_before = len(list(damaged.iterdir()))
        (self.folder / str(step)).rename(damaged / f"{step}-{n_before}")
        self._metrics.pop(step, None)
        self.say(f"checkpoint {step} is damaged ({_first_line(error)}); kept in {damaged}, falling back")
        self.manager = self._open()

    def close(self) -> None:
        """Wait for what is being written."""
        self.manager.close()


def _verified(notes: Facts, step: int) -> Facts:
    """The notes of the checkpoint at `step`, if they are those that were written with it."""
    if notes["format"] == 1:
        return notes
    if notes["format"] != FORMAT:
        raise ValueError(f"its format {notes['format']} is that of another version of gmdwgf")
    if notes["digest"] != _digest_of_notes(notes) or notes["step"] != step:
        raise ValueError("its notes are not those that were written")
    return notes


def _digest_of_notes(notes: Facts) -> str:
    kept = {name: value for name, value in notes.items() if name != "digest"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def score(notes: Facts, step: int) -> float:
    """The metric in verified notes. Format 1 has only the last record, which may be of an earlier step."""
    if notes["format"] == 1:
        record = notes.get("record", {})
        value = record.get("mmd2") if record.get("step") == step else None
    else:
        value = notes["metric"]
    return math.inf if value is None or math.isnan(value) else float(value)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def to_host(tree: Any) -> Any:
    """The numbers of a pytree as host arrays, random keys as the integers behind them."""
    return jax.tree.map(lambda leaf: np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf), tree)


def from_host(plain: Any, like: TrainState) -> TrainState:
    """A state again from plain arrays, placed whole on every device of the active mesh."""

    def wrapped(array, leaf):
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array

    return jax.tree.map(
        wrapped, place_replicated(plain), like
    )  # of a key only the integers can be put on devices of other processes


def _empty(leaf: Any) -> np.ndarray:
    kept = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
    return np.empty(kept.shape, kept.dtype)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _alone() -> ocp.options.MultiprocessingOptions:
    """Let this process write by itself, however many there are."""
    if jax.process_count() == 1:
        return ocp.options.MultiprocessingOptions()
    me = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"process_{me}"
    )


def digest(plain: Any) -> str:
    """Hash of every array of a pytree of plain arrays, bytes and shapes."""
    total = hashlib.sha256()
    for array in jax.tree.leaves(plain):
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
