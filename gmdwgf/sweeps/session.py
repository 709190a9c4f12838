"""A job under way: its folder begun, its tracker open; at its end its figures drawn and its ending written."""

import time
from collections.abc import Callable
from typing import Any

from gmdwgf.sweeps import folder as folders
from gmdwgf.sweeps.identity import data_id, drift_file_id
from gmdwgf.sweeps.job import Job
from gmdwgf.sweeps.layout import seed_of


class Session:
    """One run from its begun folder to its ending; `run` is what the loop is given. The folder's lock must be held."""

    def __init__(
        self,
        job: Job,
        pieces: dict[str, Any],
        say: Callable[[str], None],
        detail: Callable[[str], None],
        *,
        progress: Any = None,
    ):
        import jax

        from gmdwgf.generators.base import n_parameters
        from gmdwgf.tracking import RunInfo, make_tracker
        from gmdwgf.training.compilation import CompileClock, keep_compiled_programs
        from gmdwgf.training.member import Run

        keep_compiled_programs()
        self.job, self.say, self.began, self.clock = job, say, time.perf_counter(), CompileClock()
        if job.drift_changed():
            say("the file of the drift has changed since this run was begun; it goes on with the new one")
        facts = {"rules": pieces["drift"].rules, "data": data_id(job.config), "drift_file": drift_file_id(job.config)}
        job.folder.begin(job.yaml, folders.manifest(job.id, job.command) | facts)
        plan, problem = pieces["training"], pieces["problem"]
        size = n_parameters(problem.generator, problem.batch_size, problem.target.dim, problem.n_classes)
        lines = [*pieces["drift"].introduction(), *problem.target.introduction()]
        for line in [*lines, f"{type(problem.generator).__name__}: {size:,} parameters"]:
            job.folder.note(line)
            detail(line)
        info = RunInfo(job.id, job.name, job.folder.path, job.config, plan.n_steps, group=job.sweep)
        self.tracker = make_tracker(pieces["tracking"] if job.writes else None, info, self.note, progress)
        key = jax.random.key(seed_of(job.config))
        self.run = Run(problem, plan, pieces["metrics"], key, job.folder, self.tracker, self.note)

    def note(self, line: str) -> None:
        """Say a line and keep it in the run's log."""
        self.job.folder.note(line)
        self.say(line)

    def finish(self, outcome: Any) -> dict[str, Any]:
        """Draw the figures and write how the run ended, unless it goes on later; returns its summary."""
        from gmdwgf.plots.run import draw_run
        from gmdwgf.training.checkpoints import as_plain, as_state

        job = self.job
        summary = {"id": job.id, **outcome.summary, "wall_seconds": time.perf_counter() - self.began}
        if outcome.status != "interrupted" and job.writes:
            outcome = outcome._replace(state=as_state(as_plain(outcome.state), outcome.state))  # on one device
            for figure in draw_run(self.run, outcome, job.choices.get("drift", ""), job.name):
                self.tracker.figure(figure.stem, figure)
            job.folder.end(outcome.status, summary | {"floor": outcome.reference.floor, "compile": self.clock.stop()})
        self.tracker.finish(summary)
        return summary

    def close(self) -> None:
        """To be called whatever happened."""
        self.clock.stop()
        self.tracker.finish({"status": "failed"})
