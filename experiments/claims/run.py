"""Check the 44 claims on this package's drifts: `python -m experiments.claims.run`. Exits with 1 if one fails unexplained."""

import argparse
import sys
import time
from pathlib import Path

from experiments.claims import additions, behaviour, closed_forms, identities, manifolds, structure
from experiments.claims.common import CLAIMS, Claim
from experiments.claims.figures import FIGURES
from experiments.common import record
from gmdwgf.plots.style import save

HERE = Path(__file__).resolve().parent
GROUPS = (identities, structure, closed_forms, behaviour, manifolds, additions)
"""Importing a module registers its claims."""


def verdict(claim: Claim, measured: float) -> str:
    return "holds" if claim.wanted.met(measured) else "does not hold"


def table(rows: list[tuple[Claim, float]], seconds: float) -> list[str]:
    """The table, the readings and the reasons below it, and what it was made with."""
    made = record.made_with("float64", f"{seconds:.0f} s")
    lines = [made, "", "| claim | statement | tolerance | measured | verdict |", "|--:|---|--:|--:|---|"]
    for claim, measured in rows:
        sentence = claim.sentence.replace("|", "\\|")
        words = f"{claim.number} | {sentence} | {claim.wanted.text} | {measured:.3g} | {verdict(claim, measured)}"
        lines.append(f"| {words} |")
    readings = {claim.reading: claim.number for claim, _ in rows if claim.reading}
    lines += ["", "How it was read:", "", *(f"- Claim {number}. {reading}" for reading, number in readings.items())]
    failed = [claim for claim, measured in rows if not claim.wanted.met(measured)]
    if failed:
        lines += ["", "What does not hold:", ""]
        lines += [f"- Claim {claim.number}, {claim.sentence}. {claim.why or 'Not explained.'}" for claim in failed]
    return lines


def kept(rows: list[tuple[Claim, float]]) -> dict[str, record.Number]:
    """The numbers as the other experiments keep theirs: by claim and statement, with the bounds of the claim.

    An upper bound alone is on a size, which is at least 0; a claim that does not hold is expected to miss by as much
    again, up to a factor of two.
    """
    numbers = {}
    for claim, measured in sorted(rows, key=lambda row: (row[0].number, row[0].sentence)):
        low, high = claim.wanted.low, claim.wanted.high
        bounds = (max(low, min(0.0, measured)), high) if claim.wanted.met(measured) else (measured / 2, measured * 2)
        numbers[f"{claim.number}/{claim.sentence}"] = record.Number(measured, *bounds)
    return numbers


def main() -> int:
    parser = argparse.ArgumentParser("python -m experiments.claims.run", description=__doc__)
    parser.add_argument("claims", nargs="*", type=int, help="numbers of claims to show; nothing is written then")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for README.md, results.json and figures/")
    arguments = parser.parse_args()

    start, rows = time.perf_counter(), []
    for claim in sorted(CLAIMS, key=lambda claim: claim.number):
        if not arguments.claims or claim.number in arguments.claims:
            rows.append((claim, float(claim.measure())))
            says = f"{verdict(claim, rows[-1][1])}: {rows[-1][1]:.2g}, wanted {claim.wanted.text}"
            print(f"{time.perf_counter() - start:4.0f} s  {claim.number:2d}  {claim.sentence}: {says}", flush=True)
    unexplained = [claim for claim, measured in rows if not claim.wanted.met(measured) and not claim.why]
    if not arguments.claims:
        for name, draw in FIGURES.items():
            save(draw(), arguments.out / "figures" / f"{name}.png")
        record.keep(kept(rows), arguments.out / "results.json")
        record.into_readme(HERE, arguments.out, table(rows, time.perf_counter() - start))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
