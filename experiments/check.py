"""Compare results with those that are committed: `python -m experiments.check [NAME ...]`, after `make figures`.

Every number of an experiment is kept with its 95 % interval. A repetition with other seeds has chance deviations of its own, of the
same size, so that the difference of two means of as many seeds has twice the variance of one: 95 % of the repetitions lie in the
*prediction interval*, which is sqrt(2) times as wide. (For an interval by Student's t this is exact for normal values, since the
deviation that is estimated is independent of both means.) This lists the numbers of the working tree that lie outside of the
committed prediction intervals, or are missing on one side, and exits with 1 if any is missing, or if more lie outside than one in
twenty by chance (the 99.9 % quantile of the binomial law). Numbers whose interval is wider than themselves are counted: they
hardly constrain a repetition.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPREAD = 2**0.5
OF_A_MACHINE = "/time/"
"""In the name of a number that depends on how far a machine gets in a given time: it is not compared."""


def committed(path: Path, revision: str) -> dict[str, list[float]] | None:
    """The results of a revision; None where it has no such file."""
    name = f"{revision}:{path.relative_to(ROOT).as_posix()}"
    shown = subprocess.run(["git", "show", name], cwd=ROOT, capture_output=True, text=True)
    return json.loads(shown.stdout) if shown.returncode == 0 else None


def predicted(number: list[float]) -> tuple[float, float]:
    """Bounds that 95 % of the repetitions meet."""
    value, low, high = number
    return value - SPREAD * (value - low), value + SPREAD * (high - value)


def by_chance(n: int) -> int:
    """How many of `n` prediction intervals of 95 % chance alone may miss, in 999 of 1,000 repetitions."""
    from scipy.stats import binom

    return int(binom.ppf(0.999, n, 0.05))


def missing(new: dict[str, list[float]], old: dict[str, list[float]]) -> list[str]:
    """A sentence for each number that is on one side only."""
    found = [f"{name} is new: {new[name][0]:.4g}" for name in sorted(new.keys() - old.keys())]
    return found + [f"{name} is gone; it was {old[name][0]:.4g}" for name in sorted(old.keys() - new.keys())]


def outside(new: dict[str, list[float]], old: dict[str, list[float]]) -> list[str]:
    """A sentence for each number that is not within the old prediction interval."""
    found = []
    for name in sorted(new.keys() & old.keys()):
        value, was, (low, high) = new[name][0], old[name][0], predicted(old[name])
        if OF_A_MACHINE not in name and not (low <= value <= high or value == was):
            found.append(f"{name} is {value:.4g}; it was {was:.4g}, {low:.4g} to {high:.4g} expected")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m experiments.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="experiments; all of them where none is named")
    parser.add_argument("--against", default="HEAD", metavar="REVISION", help="what to compare with (HEAD)")
    arguments = parser.parse_args()
    all_as_expected = True
    for path in sorted((ROOT / "experiments").glob("*/results.json")):
        name = path.parent.name
        if arguments.names and name not in arguments.names:
            continue
        old, new = committed(path, arguments.against), json.loads(path.read_text())
        lost = ["it has no committed results"] if old is None else missing(new, old)
        moved = [] if old is None else outside(new, old)
        is_expected = not lost and len(moved) <= by_chance(len(new))
        all_as_expected &= is_expected
        loose = sum(high - low > abs(value) for value, low, high in new.values())
        print(
            f"{name}: {len(new) - len(moved)} of {len(new)} numbers within their prediction intervals"
            f"{'' if is_expected else ': NOT as expected'}; {loose} with an interval wider than themselves"
        )
        print(*(f"  {line}\n" for line in [*lost, *moved]), sep="", end="")
    return 0 if all_as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
