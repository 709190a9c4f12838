"""Make every figure of the experiments: `python -m experiments.all [--preset quick|full] [NAME ...]`, or `make figures`.

The experiments run one after the other, a line each; a cell that is done is not repeated, so that the command, typed again
after an interruption, goes on. Whatever fails does not stop the others. Then the gallery's page is built.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def experiments() -> list[Path]:
    """The folders whose `run.py` makes figures, in the order of their names."""
    makes_figures = lambda folder: "figures/" in (folder / "README.md").read_text()
    return [run.parent for run in sorted(HERE.glob("*/run.py")) if makes_figures(run.parent)]


def command(folder: Path, preset: str) -> list[str]:
    """What to type for an experiment; one without cells has no preset."""
    has_cells = "Experiment(" in (folder / "run.py").read_text()
    return [sys.executable, "-m", f"experiments.{folder.name}.run", *(["--preset", preset] if has_cells else [])]


def timed(words: list[str], log: Path) -> tuple[float, int]:
    """Seconds and exit code of a command, whose output goes into `log`."""
    start = time.perf_counter()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        code = subprocess.run(words, cwd=HERE.parent, stdout=output, stderr=subprocess.STDOUT).returncode
    return time.perf_counter() - start, code


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.all", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="experiments; all of them where none is named")
    parser.add_argument("--preset", choices=("quick", "full"), default="quick")
    arguments = parser.parse_args()
    known = {folder.name: folder for folder in experiments()}
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no experiment {', '.join(unknown)}; there are {', '.join(known)}")
    jobs = {name: command(known[name], arguments.preset) for name in arguments.names or known}
    if not arguments.names:
        jobs["gallery"] = [sys.executable, "-m", "experiments.gallery.build"]
    total, failed = 0.0, []
    for name, words in jobs.items():
        log = HERE.parent / "runs" / "experiments" / f"{name}.log"
        seconds, code = timed(words, log)
        total += seconds
        failed += [name] if code else []
        print(
            f"{name:15s} {seconds / 60:6.1f} min  {'done' if code == 0 else f'failed ({code}), see {log}'}", flush=True
        )
    print(f"{'total':15s} {total / 60:6.1f} min  {len(jobs) - len(failed)} of {len(jobs)} done")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
