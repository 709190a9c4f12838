"""Run all benchmarks, one after the other, and renew docs/benchmarks.md and the table of the README.

python scripts/benchmarks/all.py            # all but the sweep, time_to_quality.py (hours) and gpu.py (where there is a GPU)
python scripts/benchmarks/all.py --sweep    # that too: about 10 minutes more
python scripts/benchmarks/all.py --short    # the README's table alone, from what the page says
"""

import argparse
import subprocess
import sys
from pathlib import Path

from common import PAGE, ROOT, SHORT, replace_between, table

HERE = Path(__file__).parent
SCRIPTS = ("drifts.py", "sliced.py", "scale.py", "sinkhorn.py", "step.py", "startup.py", "many_runs.py")
SECTIONS = ("kl", "torch", "sinkhorn", "sliced", "step", "time-to-quality", "gpu", "start-up", "sweep", "many-runs")
"""The sections whose short rows make the README's table, in its order."""


def section(name: str) -> list[str]:
    """The lines of a section of the page; none if it has not been measured."""
    text = PAGE.read_text().split(f"<!-- {name}:begin -->\n")[1].split(f"<!-- {name}:end -->")[0]
    return text.strip().splitlines()


def short() -> list[str]:
    """The README's table, and what it was measured on."""
    first, rows, where = table(SHORT, []), [], {}
    for name in SECTIONS:
        lines = section(name)
        if lines[:2] != first:
            continue
        rows += lines[2 : lines.index("")]
        command, circumstances = lines[-1].split("` on ")
        where.setdefault(circumstances.removesuffix("."), []).append(command.rpartition("/")[2].split()[0])
    measured = [f"Measured on {said} ({', '.join(dict.fromkeys(scripts))})." for said, scripts in where.items()]
    return [*table(["what", "measured: median, and the middle half of the rounds"], []), *rows, "", *measured]


def main() -> None:
    """Run what is asked for and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", action="store_true", help="the sweep too")
    parser.add_argument("--short", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    for script in () if asked.short else SCRIPTS + (("sweep.py",) if asked.sweep else ()):
        subprocess.run([sys.executable, str(HERE / script)], check=True)
    replace_between(ROOT / "README.md", "benchmarks", short())


if __name__ == "__main__":
    main()
