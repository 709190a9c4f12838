"""Compare results with those that are committed: `python -m experiments.check [NAME ...]`, after `make figures`.

Every number of an experiment is kept with the bounds between which a repetition is expected. This says which of the numbers
in the working tree lie outside of the committed bounds, or are missing on one side, and exits with 1 if there are any.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OF_A_MACHINE = "/time/"
"""In the name of a number that depends on how far a machine gets in a given time: it is not compared."""


def committed(path: Path, revision: str) -> dict[str, list[float]] | None:
    """The results of a revision; None where it has no such file."""
    name = f"{revision}:{path.relative_to(ROOT).as_posix()}"
    shown = subprocess.run(["git", "show", name], cwd=ROOT, capture_output=True, text=True)
    return json.loads(shown.stdout) if shown.returncode == 0 else None


def outside(new: dict[str, list[float]], old: dict[str, list[float]]) -> list[str]:
    """A sentence for each number that is not within the old bounds, or is on one side only."""
    found = [f"{name} is new: {new[name][0]:.4g}" for name in sorted(new.keys() - old.keys())]
    found += [f"{name} is gone; it was {old[name][0]:.4g}" for name in sorted(old.keys() - new.keys())]
    for name in sorted(new.keys() & old.keys()):
        value, (was, low, high) = new[name][0], old[name]
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
    n_outside = 0
    for path in sorted((ROOT / "experiments").glob("*/results.json")):
        name = path.parent.name
        if arguments.names and name not in arguments.names:
            continue
        old, new = committed(path, arguments.against), json.loads(path.read_text())
        found = ["has no committed results"] if old is None else outside(new, old)
        n_outside += len(found)
        print(
            f"{name}: {len(found)} of {len(new)} numbers differ"
            if found
            else f"{name}: all {len(new)} numbers as expected"
        )
        print(*(f"  {line}\n" for line in found), sep="", end="")
    return 1 if n_outside else 0


if __name__ == "__main__":
    sys.exit(main())
