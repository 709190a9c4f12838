"""Upload runs to Weights & Biases from the records and figures in their folders."""

import time
from collections.abc import Callable, Sequence

from gmdwgf.config.build import ConfigError
from gmdwgf.reading import one_line
from gmdwgf.runs.marks import is_id
from gmdwgf.runs.records import RunFiles
from gmdwgf.tracking import RunHeader, WandbConfig, WandbSink


def sink_config(mode: str, project: str, entity: str | None, group: str, waits: tuple[float, float]) -> WandbConfig:
    """Make the configuration of the sink; `waits` are the timeouts in seconds at the start and for uploads at the end."""
    if mode not in ("offline", "online"):
        raise ConfigError("--mode", mode, "must be offline or online")
    for name, seconds in zip(("--init-timeout", "--finish-timeout"), waits, strict=True):
        if not seconds > 0:
            raise ConfigError(name, seconds, "must be greater than 0")
    return WandbConfig(mode, project, entity, group, [], *waits)


def replay(runs: Sequence[RunFiles], config: WandbConfig, say: Callable[[str], None]) -> None:
    """Upload each run as a wandb run with the same id, with its config, records, figures and final status.

    Waits at most `init_timeout` in total for a server that does not respond (then logs offline), and at most `finish_timeout` for the
    uploads of each run. Repeated uploads do not duplicate a run: wandb ignores steps that it already has.
    """
    began, said = time.monotonic(), set()

    def once(line: str) -> None:
        if line not in said:
            said.add(line)
            say(line)

    for number, run in enumerate(runs, start=1):
        if run.state == "live":
            say(f"[{number}/{len(runs)}] {run.name}: live, mirrors itself")
            continue
        if not is_id(run.id):  # wandb uses it in file names
            say(f"[{number}/{len(runs)}] {run.name}: left out, its manifest names no id of a run")
            continue
        try:
            _replay(run, WandbSink(config, once))
        except Exception as error:  # wandb can raise any error; continue with the other runs
            say(
                f"[{number}/{len(runs)}] {run.name}: not replayed ({type(error).__name__}: {one_line(str(error))[:120]})"
            )
            continue
        say(f"[{number}/{len(runs)}] {run.name}: {len(run.metrics)} records, {run.state}")
    say(f"{len(runs)} runs in {time.monotonic() - began:.0f} s, group {config.group}")


def _replay(run: RunFiles, sink: WandbSink) -> None:
    floor = {name: tuple(pair) for name, pair in run.ending.get("floor", {}).items()}
    info = RunHeader(run.id, run.name, run.path, run.config, run.n_steps or 0, floor=floor)
    summary = {name: value for name, value in run.ending.items() if name not in ("floor", "compile", "traceback")}
    sink.start(info)
    try:
        for record in run.metrics:
            sink.log(record["step"], {name: value for name, value in record.items() if name != "step"})
        for figure in sorted((run.path / "figures").glob("*.png")):
            sink.figure(figure.stem, figure)
    finally:
        sink.finish({"status": run.state, **summary, "drift": run.drift, "dataset": run.dataset})
