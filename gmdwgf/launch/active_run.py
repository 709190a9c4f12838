"""A run in progress: opens its folder and tracker, and at the end draws its figures and writes its status."""

import time
from collections.abc import Callable

import jax

from gmdwgf.config.build import ConfigError
from gmdwgf.engine import devices
from gmdwgf.engine.checkpoints import from_host, to_host
from gmdwgf.engine.compilation import CompileClock, keep_compiled_programs
from gmdwgf.engine.monitor import LoopResult, OnEvaluation, RunContext
from gmdwgf.generators.base import n_parameters
from gmdwgf.launch.collections import resume_collections
from gmdwgf.launch.components import Components
from gmdwgf.launch.extension import Parent
from gmdwgf.launch.layout import seed_of
from gmdwgf.launch.spec import RunSpec
from gmdwgf.mappings import Facts
from gmdwgf.runs import folder as folders
from gmdwgf.runs.identity import data_id, data_paths, drift_file_id, run_id
from gmdwgf.runs.standing import Standing, reopen, standing
from gmdwgf.tracking import RunHeader, Sink, make_tracker


class ActiveRun:
    """One run in its folder, whose lock must be held; `run` is the input of the training loop."""

    def __init__(
        self,
        spec: RunSpec,
        components: Components,
        say: Callable[[str], None],
        detail: Callable[[str], None],
        *,
        progress: Sink | None = None,
        on_evaluation: OnEvaluation | None = None,
    ):
        resume_collections()  # by now everything is imported
        keep_compiled_programs()
        self.spec, self.say, self.began, self.clock = spec, say, time.perf_counter(), CompileClock()
        found = standing(spec.folder, spec.config, spec.yaml) if spec.writes else Standing("new")
        if spec.drift_changed():
            say("the source file of the drift has changed since this run began; the run continues with the new one")
        plan, problem = components.plan, components.problem
        facts = {
            "rules": components.drift.rules,
            "data": data_id(spec.config),
            "drift_file": drift_file_id(spec.config),
        }
        facts["data_files"] = data_paths(spec.config)
        facts["devices"] = devices.facts(components.mesh())
        facts["sizes"] = {"dim": problem.target.dim, "n_classes": problem.target.n_classes}
        if problem.target.standardisation is not None:
            facts["standardisation"] = problem.target.standardisation.facts()
        if run_id(spec.config) != spec.id:
            raise ConfigError(
                "dataset.path", spec.config["dataset"].get("path"), "changed while it was read; run the command again"
            )
        parent = components.parent
        if from_run := self._introduce(parent) if parent is not None else spec.folder.manifest().get("parent"):
            facts["parent"] = from_run
        elif spec.config.get("extend") and spec.folder.status() == "new":
            say("no finished run can be extended to this one; training starts from step 0")
        reopen(spec.folder, found)
        spec.folder.begin(spec.yaml, folders.manifest(spec.id, spec.command) | facts)
        for line in found.lines:
            self.note(line)
        size = n_parameters(problem.generator, problem.batch_size, problem.target.dim, problem.n_classes)
        lines = [*components.drift.introduction(), *problem.target.introduction()]
        for line in [*lines, f"{type(problem.generator).__name__}: {size:,} parameters"]:
            spec.folder.note(line)
            detail(spec.folder.hide(line))
        info = RunHeader(spec.id, spec.name, spec.folder.path, spec.shown, plan.n_steps, group=spec.sweep)
        self.tracker = make_tracker(components.tracking if spec.writes else None, info, self.note, progress)
        key = jax.random.key(seed_of(spec.config))
        goes_on_from = parent.folder if parent is not None else None
        signals = tuple(components.devices.save_signals)
        self.run = RunContext(
            problem,
            plan,
            components.suite,
            key,
            spec.folder,
            self.tracker,
            self.note,
            save_signals=signals,
            parent=goes_on_from,
            on_evaluation=on_evaluation,
        )

    def _introduce(self, parent: Parent) -> Facts:
        """Print notices about the run that this one extends; returns the manifest's entry about it."""
        before = parent.folder.manifest().get("drift_file")
        if before and before != drift_file_id(self.spec.config):
            self.say(
                f"the source file of the drift has changed since {parent.folder.path.name}; the run continues with the new one"
            )
        return parent.facts()

    def note(self, line: str) -> None:
        """Print a line and append it to the run's log."""
        self.spec.folder.note(line)
        self.say(self.spec.folder.hide(line))

    def finish(self, result: LoopResult) -> Facts:
        """Draw the figures and write the final status, unless the run was interrupted; returns its summary."""
        spec = self.spec
        summary = {"id": spec.id, **result.summary, "wall_seconds": time.perf_counter() - self.began}
        if result.status != "interrupted" and spec.writes:
            from gmdwgf.launch.figures import draw_run  # imported here, because matplotlib takes half a second

            result = result._replace(state=from_host(to_host(result.state), result.state))  # on one device
            for figure in draw_run(self.run, result, spec.choices.get("drift", ""), spec.name):
                self.tracker.figure(figure.stem, figure)
            spec.folder.end(result.status, summary | {"floor": result.reference.floor, "compile": self.clock.stop()})
        self.tracker.finish(summary)
        return summary

    def close(self) -> None:
        """Close the tracker; must be called also after an error."""
        self.clock.stop()
        self.tracker.finish({"status": "failed"})
