"""Orbax checkpoints that survive a kill at any moment and a damaged newest one.

Kept: the two latest (so that a damaged one has a predecessor) and the best. Orbax does not notice flipped bytes, so each
checkpoint carries a digest of its arrays, which is compared on restore. What is kept are plain arrays: it does not matter on
how many devices or by how many processes they were made, or are read.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from gmdwgf.training.devices import put_whole
from gmdwgf.training.state import TrainState

FORMAT = 1
"""Version of what a checkpoint holds."""


class Checkpoints:
    """The checkpoints of one run. `say` gets one line whenever something is not as it should be.

    A reader (`writing=False`) changes nothing in the folder, which another process may be writing.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, writing: bool = True):
        # Orbax reports all that it writes, and logs what it also raises.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self.folder, self.say, self.writing = folder.absolute(), say, writing
        self.manager = self._open()

    def _open(self) -> ocp.CheckpointManager:
        if self.writing:
            self.folder.mkdir(parents=True, exist_ok=True)
        keep = checkpoint_managers.AnyPreservationPolicy(
            [
                checkpoint_managers.LatestN(2),
                checkpoint_managers.BestN(get_metric_fn=lambda metrics: metrics["best"], reverse=True, n=1),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep,
            enable_async_checkpointing=False,
            cleanup_tmp_directories=self.writing,
            create=False,
            read_only=not self.writing,
            multiprocessing_options=_alone(),
        )
        return ocp.CheckpointManager(self.folder, options=options, item_names=("state", "notes"))

    def save(self, state: TrainState, metric: float, notes: dict[str, Any]) -> None:
        """Write the state at its step; `metric` (lower is better) decides which one is kept as the best."""
        step = int(state.step)
        if step in self.manager.all_steps():
            return
        plain = as_plain(state)
        notes = {"format": FORMAT, "digest": digest(plain), **notes}
        items = ocp.args.Composite(state=ocp.args.StandardSave(plain), notes=ocp.args.JsonSave(notes))
        metric = metric if np.isfinite(metric) else float("1e30")
        if not self.manager.save(step, args=items, metrics={"best": metric}):
            raise RuntimeError(f"Orbax refused to save step {step} in {self.folder}")
        self.manager.wait_until_finished()

    def latest(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """The newest checkpoint that can be read whole, as plain arrays shaped like `like`; damaged ones are set aside."""
        for step in sorted(self.manager.all_steps(), reverse=True):
            try:
                return self.restore(step, like)
            except Exception as error:  # Orbax raises whatever the damage leads to
                self._set_aside(step, error)
        return None

    def best(self, like: Any) -> tuple[Any, dict[str, Any]] | None:
        """The checkpoint with the lowest metric, or the newest readable one."""
        step = self.manager.best_step()
        if step is not None:
            try:
                return self.restore(step, like)
            except Exception as error:
                self.say(f"the best checkpoint (step {step}) cannot be read ({_first_line(error)}); taking the latest")
        return self.latest(like)

    def restore(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        """The checkpoint at `step`, as plain arrays; raises when it cannot be read or its digest does not match."""
        target = jax.tree.map(_empty, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target), notes=ocp.args.JsonRestore())
        restored = self.manager.restore(step, args=items)
        notes = restored["notes"]
        if notes["digest"] != digest(restored["state"]):
            raise ValueError("its numbers are not those that were written")
        return restored["state"], notes

    def _set_aside(self, step: int, error: Exception) -> None:
        if not self.writing:
            self.say(f"checkpoint {step} is damaged ({_first_line(error)}); taking the one before")
            return
        self.manager.close()
        damaged = self.folder.parent / "damaged"
        damaged.mkdir(exist_ok=True)
        n_before = len(list(damaged.iterdir()))
        (self.folder / str(step)).rename(damaged / f"{step}-{n_before}")
        self.say(f"checkpoint {step} is damaged ({_first_line(error)}); kept in {damaged}, falling back")
        self.manager = self._open()

    def close(self) -> None:
        """Wait for what is being written."""
        self.manager.close()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def as_plain(tree: Any) -> Any:
    """The numbers of a pytree as host arrays, random keys as the integers behind them."""
    return jax.tree.map(lambda leaf: np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf), tree)


def as_state(plain: Any, like: TrainState) -> TrainState:
    """A state again from plain arrays, placed whole on every device of the active mesh."""

    def wrapped(array, leaf):
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array

    return jax.tree.map(
        wrapped, put_whole(plain), like
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
