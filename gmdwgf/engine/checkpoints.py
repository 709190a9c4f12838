"""Orbax checkpoints that are robust to kills and to a damaged latest checkpoint.

Retained are the two latest checkpoints, so that a damaged one has a predecessor, and the best, which has the lowest metric among
those saved at evaluations. Orbax does not detect corrupted bytes, so each checkpoint stores digests of its arrays and of its notes,
which are verified on restore. The metric is stored in the notes, because Orbax's own metrics would not be verified. Checkpoints
contain plain arrays and do not depend on the number of devices or processes that write or read them.
"""

import hashlib
import json
import logging
import math
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from gmdwgf.engine.late_errors import silence_late_errors
from gmdwgf.mappings import Facts
from gmdwgf.pairs.sharding import place_replicated
from gmdwgf.training.state import TrainState
from gmdwgf.typing import PyTree

FORMAT = 2
"""Format version of checkpoints. In format 1 the notes have no digest and no metric."""


class Checkpoints:
    """Checkpoints of one run. `say` is called with a line for every problem found.

    With `writing=False` the folder is not modified, since another process may be writing to it.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, writing: bool = True):
        # Silence Orbax, which logs every write, and also the errors that it raises.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self.folder, self.say, self.writing = folder.absolute(), say, writing
        self._metrics: dict[int, tuple[str, float]] = {}
        silence_late_errors()
        self.manager = self._open()

    def _open(self) -> ocp.CheckpointManager:
        if self.writing:
            self.folder.mkdir(parents=True, exist_ok=True)
        options = ocp.CheckpointManagerOptions(  # no preservation policy: this class deletes old checkpoints itself
            enable_async_checkpointing=False,
            cleanup_tmp_directories=self.writing,
            create=False,
            read_only=not self.writing,
            multiprocessing_options=_alone(),
        )
        return ocp.CheckpointManager(self.folder, options=options, item_names=("state", "notes"))

    def steps(self) -> list[int]:
        """Steps of the checkpoints, in increasing order."""
        return sorted(self.manager.all_steps())

    def save(self, state: TrainState, metric: float, notes: Facts) -> None:
        """Save the state at its step, and delete checkpoints that are neither among the two latest nor the best.

        `metric` is the score of these parameters, lower is better; infinity or NaN if they were not scored.
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

    def latest(self, like: PyTree) -> tuple[PyTree, Facts] | None:
        """Restore the latest intact checkpoint as plain arrays with the shapes of `like`; damaged ones are moved aside."""
        for step in reversed(self.steps()):
            try:
                return self.restore(step, like)
            except Exception as error:  # a damaged checkpoint can raise any error
                self._set_aside(step, error)
        return None

    def best(self, like: PyTree) -> tuple[PyTree, Facts] | None:
        """Restore the readable checkpoint with the lowest metric, or the latest readable one if none was scored."""
        for step in self._ranked():
            try:
                return self.restore(step, like)
            except Exception as error:
                self.say(
                    f"the best checkpoint (step {step}) cannot be read ({_first_line(error)}); taking the next best"
                )
        return self.latest(like)

    def restore(self, step: int, like: PyTree) -> tuple[PyTree, Facts]:
        """Restore the checkpoint at `step` as plain arrays; raises if it cannot be read or a digest does not match."""
        target = jax.tree.map(_empty, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target), notes=ocp.args.JsonRestore())
        restored = self.manager.restore(step, args=items)
        notes = _verified(restored["notes"], step)
        if notes["digest" if notes["format"] == 1 else "arrays"] != digest(restored["state"]):
            raise ValueError("its arrays do not match their digest")
        return restored["state"], notes

    def _ranked(self) -> list[int]:
        """Steps of the scored checkpoints, best first; of equal scores the later step comes first.

        Scores of different metrics do not compare: only those of the metric of the latest scored checkpoint are ranked.
        """
        scored = [step for step in self.steps() if math.isfinite(self._metric(step)[1])]
        kind = self._metric(scored[-1])[0] if scored else ""
        return sorted((s for s in scored if self._metric(s)[0] == kind), key=lambda s: (self._metric(s)[1], -s))

    def _metric(self, step: int) -> tuple[str, float]:
        """Name and value of the metric in the notes of a checkpoint; infinite if there is none or the notes are damaged."""
        if step not in self._metrics:
            try:
                items = ocp.args.Composite(notes=ocp.args.JsonRestore())
                notes = _verified(self.manager.restore(step, args=items)["notes"], step)
                self._metrics[step] = _kind(notes), score(notes, step)
            except Exception:
                self._metrics[step] = "", math.inf
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
        """Wait for pending writes and close."""
        self.manager.close()


def _verified(notes: Facts, step: int) -> Facts:
    """Return the notes of the checkpoint at `step` after verifying their format and digest."""
    if notes["format"] == 1:
        return notes
    if notes["format"] != FORMAT:
        raise ValueError(f"its format {notes['format']} belongs to another version of gmdwgf")
    if notes["digest"] != _digest_of_notes(notes) or notes["step"] != step:
        raise ValueError("its notes do not match their digest")
    return notes


def _digest_of_notes(notes: Facts) -> str:
    kept = {name: value for name, value in notes.items() if name != "digest"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _kind(notes: Facts) -> str:
    """Name of the metric in verified notes; versions without the gap ranked by MMD^2."""
    return notes.get("scored_by", "mmd2")


def score(notes: Facts, step: int) -> float:
    """Metric in verified notes. Format 1 has only the last record, which may belong to an earlier step."""
    if notes["format"] == 1:
        record = notes.get("record", {})
        value = record.get("mmd2") if record.get("step") == step else None
    else:
        value = notes["metric"]
    return math.inf if value is None or math.isnan(value) else float(value)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def to_host(tree: PyTree) -> PyTree:
    """Copy a pytree to host arrays, with random keys as their integer data."""
    return jax.tree.map(lambda leaf: np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf), tree)


def from_host(plain: PyTree, like: TrainState) -> TrainState:
    """Build a state from plain arrays, replicated over the devices of the active mesh."""

    def wrapped(array, leaf):
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array

    return jax.tree.map(
        wrapped, place_replicated(plain), like
    )  # only the integer data of a key can be placed on devices of other processes


def _empty(leaf: PyTree) -> np.ndarray:
    kept = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
    return np.empty(kept.shape, kept.dtype)


def _is_key(leaf: object) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _alone() -> ocp.options.MultiprocessingOptions:
    """Multiprocessing options with which this process writes without the others."""
    if jax.process_count() == 1:
        return ocp.options.MultiprocessingOptions()
    me = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=me, active_processes={me}, barrier_sync_key_prefix=f"process_{me}"
    )


def digest(plain: PyTree) -> str:
    """Hash of the bytes and shapes of all arrays of a pytree."""
    total = hashlib.sha256()
    for array in jax.tree.leaves(plain):
        total.update(f"{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
