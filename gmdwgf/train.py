"""`python -m gmdwgf.train`, also installed as the command `gmdwgf`: compose a config and execute the run or sweep.

JAX and other large packages are imported only when a run begins, so that `--help` and `--cfg job` respond quickly.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

try:
    import hydra
    from omegaconf import DictConfig, OmegaConf

    from gmdwgf.config.build import config_dir
    from gmdwgf.config.moved import notice, respelled_override
    from gmdwgf.engine.blas import one_blas_thread
    from gmdwgf.engine.signals import CODE, Interrupted, as_control_c
    from gmdwgf.engine.vector_width import use_whole_vectors
    from gmdwgf.files import escape_what_cannot_be_shown
    from gmdwgf.launch.arguments import misused_section
    from gmdwgf.launch.cli_errors import BAD_INPUT, CRASH, complain
    from gmdwgf.launch.collections import paused_collections
    from gmdwgf.launch.terminal import lasting_output
except KeyboardInterrupt:  # during imports
    print("gmdwgf: stopped", file=sys.stderr)  # noqa: T201
    sys.exit(130)

if TYPE_CHECKING:
    from gmdwgf.launch.reporter import Reporter
    from gmdwgf.launch.spec import RunSpec
    from gmdwgf.mappings import Facts
    from gmdwgf.runs.folder import RunDir


def accept_plus(arguments: list[str]) -> list[str]:
    """Accept `+drift=kl` as `drift=kl` for every group of `configs/`, of which Hydra accepts only one."""
    groups = "|".join(sorted(path.name for path in config_dir().iterdir() if path.is_dir()))
    return [re.sub(rf"^\+{{1,2}}(?=({groups})=)", "", argument) for argument in arguments]


def _respelled(arguments: list[str]) -> list[str]:
    """Rename overrides of older versions, with a notice for each."""
    found = [respelled_override(argument) for argument in arguments]
    for old, new in zip(arguments, found, strict=True):
        if old != new:
            print(f"gmdwgf: {notice(old, new)}", file=sys.stderr)  # noqa: T201
    return found


def accept_sweep(arguments: list[str]) -> list[str]:
    """Accept `--dry` as `sweep.dry=true` with the basic launcher, and give a sweep a name derived from its overrides."""
    if "--dry" in arguments:
        arguments = ["sweep.dry=true" if argument == "--dry" else argument for argument in arguments]
    if "sweep.dry=true" in arguments:
        arguments = [
            argument for argument in arguments if not argument.startswith(("hydra/launcher=", "hydra.launcher."))
        ]
    if not {"-m", "--multirun"} & set(arguments):
        return arguments
    arguments = _beside_swept_groups(arguments)
    if any(argument.lstrip("+").startswith("sweep.name=") for argument in arguments):
        return arguments
    from gmdwgf.launch.ledger import sweep_name

    return [*arguments, f"sweep.name={sweep_name(arguments)}"]


def _beside_swept_groups(arguments: list[str]) -> list[str]:
    """Turn a single value of a field of a swept group (`drift=kl,blob drift.bandwidth=0.5`) into a sweep over one value.

    Hydra first composes a config without swept overrides, and would look for the field in the default of the group.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override
    from hydra.errors import HydraException

    parser = OverridesParser.create()

    def parsed(argument: str) -> Override | None:
        try:
            return parser.parse_override(argument)
        except HydraException:  # a flag, or an error that Hydra reports
            return None

    overrides = [parsed(argument) for argument in arguments]
    swept = {found.key_or_group for found in overrides if found is not None and found.is_sweep_override()}

    def alone(found: Override | None) -> bool:
        if found is None or found.is_delete() or found.is_sweep_override() or found.value() in ("", None):
            return False
        group, *field = found.key_or_group.split(".")
        return bool(field) and group in swept

    pairs = zip(arguments, overrides, strict=True)
    return [re.sub("=(.*)", r"=choice(\1)", argument) if alone(found) else argument for argument, found in pairs]


class JobFailed(SystemExit):
    """Raised if a single job is invalid or crashes, with the cause and the run folder, if any.

    It is a SystemExit, because Hydra prints its own message for other exceptions.
    """

    def __init__(self, cause: Exception, folder: "RunDir | None"):
        super().__init__(CRASH)
        self.cause, self.folder = cause, folder


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def main(cfg: DictConfig) -> float:
    """Execute one job, alone or of a sweep; returns its final gap, or infinity if it did not finish."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from gmdwgf.launch import workers
    from gmdwgf.launch.ledger import SweepLedger
    from gmdwgf.launch.reporter import Reporter
    from gmdwgf.launch.spec import make_spec, run_overrides
    from gmdwgf.runs.folder import FINISHED

    hydra_config = HydraConfig.get()
    in_sweep = hydra_config.mode == RunMode.MULTIRUN
    overrides: list[str] = OmegaConf.to_container(hydra_config.overrides.task, resolve=False)  # type: ignore[assignment]  # as typed
    ledger = SweepLedger.of(cfg) if in_sweep else None
    if ledger is not None and cfg.sweep.fail_fast and ledger.any_failed():
        return Reporter(hydra_config.job.num, run_overrides(overrides), ledger).left_out()
    reporter = Reporter(hydra_config.job.num if in_sweep else None, run_overrides(overrides), ledger)
    spec = None
    try:
        if not cfg.sweep.dry:
            workers.take_share(hydra_config.launcher)  # before anything imports JAX
        from gmdwgf.launch.execute import dry_run, execute, join_processes

        spec = make_spec(cfg, dict(hydra_config.runtime.choices), overrides)
        for line in spec.notices:
            reporter.say(line)
        if cfg.sweep.dry:
            return dry_run(spec, reporter)
        spec, state = join_processes(spec)
        reporter.console.quiet = not spec.writes
        if state in FINISHED:
            return reporter.skipped(spec)
        return _finished(reporter, spec, execute(spec, reporter.say, reporter.detail))
    except Exception as error:
        if in_sweep:
            return reporter.failed(spec, error)
        raise JobFailed(error, spec.folder if spec else None) from error


def _finished(reporter: "Reporter", spec: "RunSpec", summary: "Facts") -> float:
    try:
        return reporter.finished(spec, summary)
    except Interrupted as stop:
        stop.hand_over()
        raise


def cli() -> None:
    """Entry point of the command line. Errors are one line; tracebacks are stored in the run folder."""
    with lasting_output(), as_control_c(), paused_collections():
        _cli()


def _cli() -> None:
    use_whole_vectors()
    one_blas_thread()
    escape_what_cannot_be_shown()
    typed = accept_plus(_respelled(sys.argv[1:]))
    if misused := misused_section(typed):
        print(f"gmdwgf: {misused}", file=sys.stderr)  # noqa: T201
        sys.exit(BAD_INPUT)
    sys.argv[1:] = accept_sweep(typed)
    wants_tracebacks = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        with _hydra_raises():
            main()
    except (JobFailed, Exception) as error:
        cause, folder = (error.cause, error.folder) if isinstance(error, JobFailed) else (error, None)
        if wants_tracebacks:
            raise cause from None
        sys.exit(complain(cause, typed, folder))
    except KeyboardInterrupt:
        print("gmdwgf: stopped; the same command resumes from the last checkpoints", file=sys.stderr)  # noqa: T201
        sys.exit(CODE)


@contextlib.contextmanager
def _hydra_raises() -> Iterator[None]:
    """Context in which Hydra raises its errors instead of printing them."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        os.environ.pop("HYDRA_FULL_ERROR")
        if before is not None:
            os.environ["HYDRA_FULL_ERROR"] = before


if __name__ == "__main__":
    from gmdwgf.train import cli as by_name  # workers of launchers import `main` by its module name

    by_name()
