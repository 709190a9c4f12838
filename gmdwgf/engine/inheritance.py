"""Copy records, samples and the latest checkpoint from a finished run to a run that extends it."""

import json

import numpy as np

from gmdwgf.engine.checkpoints import Checkpoints, score
from gmdwgf.files import DamagedFile, write_atomically
from gmdwgf.mappings import Facts
from gmdwgf.runs import snapshots
from gmdwgf.runs.folder import RunDir
from gmdwgf.tracking import jsonl
from gmdwgf.training.state import TrainState


def take_over(parent: RunDir, child: RunDir, checkpoints: Checkpoints, eval_every: int, like: TrainState) -> None:
    """Initialise `child` with the results of `parent`, as if it had taken the same steps; the parent is not modified.

    The parent's final evaluation is omitted unless its step is a multiple of `eval_every`. The checkpoint is copied last, so that a
    child that was killed before repeats the copy.
    """
    theirs = Checkpoints(parent.checkpoints, checkpoints.say, writing=False)
    found = theirs.latest(like)
    theirs.close()
    if found is None:
        raise DamagedFile(parent.checkpoints, "has no readable checkpoint", "train from the start (extend=null)")
    plain, notes = found
    last = int(plain.step)
    try:
        lines = _lines(parent, last, eval_every)
        taken, y = _samples(parent, last, eval_every)
    except Exception as error:  # a damaged file can raise any error
        what = f"its records or samples cannot be read ({' '.join(str(error).split())[:120]})"
        raise DamagedFile(parent.path, what, "restore them, or train from the start (extend=null)") from error
    write_atomically(child.metrics, "".join(f"{line}\n" for line in lines))
    samples = snapshots.Snapshots(child.samples, y)
    samples.taken = taken
    samples.add(max(taken), taken[max(taken)])
    metric = score(notes, last) if last % eval_every == 0 else float("inf")
    checkpoints.save(plain, metric, _kept(notes) | {"best": _best(jsonl.read_records(child.metrics), notes)})


def _lines(parent: RunDir, last: int, eval_every: int) -> list[str]:
    """Lines of the records that belong to the longer run, verbatim."""
    jsonl.read_records(parent.metrics)  # raises for a damaged one
    lines = parent.metrics.read_text().splitlines()
    return [line for line in lines if _belongs(json.loads(line)["step"], last, eval_every)]


def _samples(parent: RunDir, last: int, eval_every: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Samples that belong to the longer run, by step, and the held-out targets."""
    kept = snapshots.read(parent.samples)
    pairs = zip(kept["steps"].tolist(), kept["x"], strict=True)
    taken = {step: points for step, points in pairs if _belongs(step, last, eval_every)}
    if not taken:
        raise ValueError("samples.npz has none of its steps")
    return taken, kept["y"]


def _belongs(step: int, last: int, eval_every: int) -> bool:
    """Whether the longer run has an evaluation at this step too."""
    return step <= last and step % eval_every == 0


def _kept(notes: Facts) -> Facts:
    return {name: notes[name] for name in ("seconds", "record", "window", "scored_by") if name in notes}


def _best(records: list[jsonl.Record], notes: Facts) -> Facts:
    """The best record; the one in the notes if there are no records."""
    scored = [record for record in records if record.get("gap", float("nan")) < float("inf")]
    if not scored:
        return notes["best"]
    best = min(scored, key=lambda record: record["gap"])
    return {"gap": best["gap"], "step": best["step"]}
