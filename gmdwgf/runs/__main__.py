"""`python -m gmdwgf.runs status|collect|rm|sync DIR`: list, tabulate, delete or upload the runs in a folder."""

import argparse
import os
import sys
from pathlib import Path

from gmdwgf.analysis import removal
from gmdwgf.config.build import ConfigError
from gmdwgf.files import escape_what_cannot_be_shown
from gmdwgf.runs.records import RunFiles, read_all


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m gmdwgf.runs", description=__doc__, allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, what: str, which: str | None = None) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=what, description=what, allow_abbrev=False)
        command.add_argument("dir", type=Path, metavar="DIR", help="a folder of runs, at any depth, or one run")
        if which:
            text = "states (done diverged failed unfinished live), ids or folder names"
            command.add_argument("which", nargs=which, metavar="WHICH", help=text)
        return command

    add("status", "list runs: what distinguishes each, its state, its step and why it stopped", "*")
    collect = add("collect", "write one table of all runs, as CSV and optionally parquet", "*")
    collect.add_argument("--out", type=Path, metavar="FILE.csv", help="default: DIR/collected.csv")
    collect.add_argument("--seeds", action="store_true", help="reduce seeds to mean, sd and a 95 %% bootstrap interval")
    collect.add_argument("--all-keys", action="store_true", help="include all config keys, not only those that differ")
    collect.add_argument("--parquet", action="store_true", help="also FILE.parquet")
    latex = (
        "also a LaTeX table (booktabs) of final results: mean over seeds, interval, floor; default: DIR/collected.tex"
    )
    collect.add_argument("--latex", nargs="?", type=Path, const=Path(), metavar="FILE.tex", help=latex)
    names = "columns of the LaTeX table, e.g. gap,mmd2; default: all metrics that the runs have"
    collect.add_argument("--metrics", metavar="NAMES", help=names)
    remove = add("rm", "delete the named runs, after confirmation; never a live one", "+")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    sync = add("sync", "upload metrics and figures to Weights & Biases, as one wandb run for each run", "*")
    sync.add_argument("--mode", default="offline", help="offline (stored in the run folder; default) or online")
    sync.add_argument("--project", default="gmdwgf")
    sync.add_argument("--entity", help="team or user")
    sync.add_argument("--group", help="default: the name of DIR")
    sync.add_argument(
        "--init-timeout", type=float, default=10.0, metavar="S", help="seconds to wait for the server (10)"
    )
    sync.add_argument(
        "--finish-timeout", type=float, default=60.0, metavar="S", help="seconds to wait for the uploads of a run (60)"
    )
    return top


def main(arguments: list[str] | None = None) -> int:
    """Execute the command line and return the exit code."""
    escape_what_cannot_be_shown()
    asked = parser().parse_args(arguments)
    try:
        if asked.command == "rm" and asked.dir.is_dir():
            removal.check_place(asked.dir)
            removal.finish_removals(asked.dir, _say)
        runs = read_all(asked.dir)
        _COMMANDS[asked.command](asked, runs)
        sys.stdout.flush()
    except BrokenPipeError:  # e.g. `status DIR | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ConfigError, OSError) as error:
        print(f"gmdwgf: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _say(line: str) -> None:
    print(line)  # noqa: T201


def _status(asked: argparse.Namespace, runs: list[RunFiles]) -> None:
    from gmdwgf.analysis.status import print_status

    print_status(runs, asked.which)


def _collect(asked: argparse.Namespace, runs: list[RunFiles]) -> None:
    from gmdwgf.analysis import collect
    from gmdwgf.analysis.status import chosen

    if asked.metrics and not asked.latex:
        raise ConfigError("--metrics", asked.metrics, "chooses columns of the LaTeX table; add --latex")
    runs = chosen(runs, asked.which)
    rows = collect.seed_rows(runs) if asked.seeds else collect.run_rows(runs, asked.all_keys)
    path = asked.out or asked.dir / ("collected_seeds.csv" if asked.seeds else "collected.csv")
    if path.suffix != ".csv":
        raise ConfigError("--out", path, "must end in .csv, so that no other file is overwritten")
    table = asked.dir / "collected.tex" if asked.latex == Path() else asked.latex
    if table:
        from gmdwgf.analysis import latex

        latex.write(runs, table, asked.metrics, asked.dir)
    if asked.parquet:
        collect.write_parquet(rows, path.with_suffix(".parquet"))
    collect.write_csv(rows, path)
    _say(f"{len(rows)} rows of {len(runs)} runs: {path}" + (" and .parquet" if asked.parquet else ""))
    if table:
        _say(f"final results as LaTeX: {table}")


def _rm(asked: argparse.Namespace, runs: list[RunFiles]) -> None:
    from gmdwgf.analysis.status import chosen, count_states

    doomed = [run for run in chosen(runs, asked.which) if run.state != "live"]
    reasons = {run.path: removal.why_kept(run.path) for run in doomed}
    for run in doomed:
        if reasons[run.path]:
            _say(f"{run.name} {reasons[run.path]} and stays")
    doomed = [run for run in doomed if reasons[run.path] is None]
    if not doomed:
        _say("nothing to remove")
        return
    for run in doomed:
        _say(f"{run.path}  {run.state}")
    if not asked.yes and not _agreed(f"delete {count_states(doomed)}? [y/N] "):
        _say("nothing removed")
        return
    _say(f"removed {removal.remove(doomed, _say)} of {len(doomed)}")


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):  # no terminal, or Ctrl-C
        print()  # noqa: T201
        return False


def _sync(asked: argparse.Namespace, runs: list[RunFiles]) -> None:
    from gmdwgf.analysis.status import chosen
    from gmdwgf.analysis.wandb_sync import replay, sink_config

    waits = asked.init_timeout, asked.finish_timeout
    config = sink_config(asked.mode, asked.project, asked.entity, asked.group or asked.dir.resolve().name, waits)
    replay(chosen(runs, asked.which), config, _say)


_COMMANDS = {"status": _status, "collect": _collect, "rm": _rm, "sync": _sync}

if __name__ == "__main__":
    sys.exit(main())
