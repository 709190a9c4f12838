"""A job under way: its folder begun, its tracker open; at its end its figures drawn and its ending written."""

import time
from collections.abc import Callable
from typing import Any

from gmdwgf.config.build import ConfigError
from gmdwgf.launch.extension import Parent
from gmdwgf.launch.layout import seed_of
from gmdwgf.launch.spec import Job
from gmdwgf.runs import folder as folders
from gmdwgf.runs.identity import data_id, data_paths, drift_file_id, run_id
from gmdwgf.runs.standing import Standing, reopen, standing


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
        on_evaluation: Any = None,
    ):
        import jax

        from gmdwgf.engine.compilation import CompileClock, keep_compiled_programs
        from gmdwgf.engine.monitor import Run
        from gmdwgf.generators.base import n_parameters
        from gmdwgf.tracking import RunInfo, make_tracker

        keep_compiled_programs()
        self.job, self.say, self.began, self.clock = job, say, time.perf_counter(), CompileClock()
        found = standing(job.folder, job.config, job.yaml) if job.writes else Standing("new")
        if job.drift_changed():
            say("the file of the drift has changed since this run was begun; it goes on with the new one")
        plan, problem = pieces["training"], pieces["problem"]
        facts = {"rules": pieces["drift"].rules, "data": data_id(job.config), "drift_file": drift_file_id(job.config)}
        facts["data_files"] = data_paths(job.config)
        facts["sizes"] = {"dim": problem.target.dim, "n_classes": problem.target.n_classes}
        if run_id(job.config) != job.id:
            raise ConfigError(
                "dataset.path", job.config["dataset"].get("path"), "changed while it was read; start again"
            )
        parent = pieces["parent"]
        if from_run := self._introduce(parent) if parent is not None else job.folder.manifest().get("parent"):
            facts["parent"] = from_run
        elif job.config.get("extend") and job.folder.status() == "new":
            say("no finished run there can be extended to this one; it begins at the start")
        reopen(job.folder, found)
        job.folder.begin(job.yaml, folders.manifest(job.id, job.command) | facts)
        for line in found.lines:
            self.note(line)
        size = n_parameters(problem.generator, problem.batch_size, problem.target.dim, problem.n_classes)
        lines = [*pieces["drift"].introduction(), *problem.target.introduction()]
        for line in [*lines, f"{type(problem.generator).__name__}: {size:,} parameters"]:
            job.folder.note(line)
            detail(job.folder.hide(line))
        info = RunInfo(job.id, job.name, job.folder.path, job.shown, plan.n_steps, group=job.sweep)
        self.tracker = make_tracker(pieces["tracking"] if job.writes else None, info, self.note, progress)
        key = jax.random.key(seed_of(job.config))
        goes_on_from = parent.folder if parent is not None else None
        signals = tuple(pieces["devices"].save_signals)
        self.run = Run(
            problem,
            plan,
            pieces["metrics"],
            key,
            job.folder,
            self.tracker,
            self.note,
            save_signals=signals,
            parent=goes_on_from,
            on_evaluation=on_evaluation,
        )

    def _introduce(self, parent: Parent) -> dict[str, Any]:
        """Say what is to be known of the run that this one goes on from; what the manifest says of it."""
        before = parent.folder.manifest().get("drift_file")
        if before and before != drift_file_id(self.job.config):
            self.say(
                f"the file of the drift has changed since {parent.folder.path.name} was run; it goes on with the new one"
            )
        return parent.facts()

    def note(self, line: str) -> None:
        """Say a line and keep it in the run's log."""
        self.job.folder.note(line)
        self.say(self.job.folder.hide(line))

    def finish(self, outcome: Any) -> dict[str, Any]:
        """Draw the figures and write how the run ended, unless it goes on later; returns its summary."""
        from gmdwgf.engine.checkpoints import as_plain, as_state
        from gmdwgf.launch.figures import draw_run

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
