"""What a run that extends another takes over from it: its records, its samples and its newest checkpoint."""

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
    """Begin `child` where `parent` ended, as if it had made the same steps itself; the parent is only read.

    An evaluation that the parent made only because it ended is left out. The checkpoint comes last: until it is there, a child
    that was killed takes all over anew.
    """
    theirs = Checkpoints(parent.checkpoints, checkpoints.say, writing=False)
    found = theirs.latest(like)
    theirs.close()
    if found is None:
        raise DamagedFile(parent.checkpoints, "no checkpoint in it can be read", "begin at the start (extend=null)")
    plain, notes = found
    last = int(plain.step)
    try:
        lines = _lines(parent, last, eval_every)
        taken, y = _samples(parent, last, eval_every)
    except Exception as error:  # numpy and json raise whatever a damaged file leads to
        what = f"its records or samples cannot be read ({' '.join(str(error).split())[:120]})"
        raise DamagedFile(parent.path, what, "bring them back, or begin at the start (extend=null)") from error
    write_atomically(child.metrics, "".join(f"{line}\n" for line in lines))
    samples = snapshots.Snapshots(child.samples, y)
    samples.taken = taken
    samples.add(max(taken), taken[max(taken)])
    metric = score(notes, last) if last % eval_every == 0 else float("inf")
    checkpoints.save(plain, metric, _kept(notes) | {"best": _best(jsonl.read_records(child.metrics), notes)})


def _lines(parent: RunDir, last: int, eval_every: int) -> list[str]:
    """The lines of the records that belong to the longer run, as they are."""
    jsonl.read_records(parent.metrics)  # raises for a damaged one
    lines = parent.metrics.read_text().splitlines()
    return [line for line in lines if _belongs(json.loads(line)["step"], last, eval_every)]


def _samples(parent: RunDir, last: int, eval_every: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """The samples that belong to the longer run, by their steps, and the held-out targets."""
    kept = snapshots.read(parent.samples)
    pairs = zip(kept["steps"].tolist(), kept["x"], strict=True)
    taken = {step: points for step, points in pairs if _belongs(step, last, eval_every)}
    if not taken:
        raise ValueError("samples.npz has none of its steps")
    return taken, kept["y"]


def _belongs(step: int, last: int, eval_every: int) -> bool:
    """Whether a longer run is looked at at this step too."""
    return step <= last and step % eval_every == 0


def _kept(notes: Facts) -> Facts:
    return {name: notes[name] for name in ("seconds", "record", "window") if name in notes}


def _best(records: list[jsonl.Record], notes: Facts) -> Facts:
    """The best of the records; that of the notes where there are none."""
    scored = [record for record in records if record.get("mmd2", float("nan")) < float("inf")]
    if not scored:
        return notes["best"]
    best = min(scored, key=lambda record: record["mmd2"])
    return {"mmd2": best["mmd2"], "step": best["step"]}
