"""Check the 31 claims on this package's drifts: `python experiments/claims/run.py`. Exits with 1 if one fails unexplained."""

import argparse
import datetime
import json
import os
import platform
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path

import behaviour as behaviour
import closed_forms as closed_forms
import identities as identities
import jax
import structure as structure
from common import CLAIMS, Claim
from figures import FIGURES

from gmdwgf.plots.style import save

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- table: written by run.py -->", "<!-- end of table -->"


def verdict(claim: Claim, measured: float) -> str:
    return "holds" if claim.wanted.met(measured) else "does not hold"


def table(rows: list[tuple[Claim, float]], seconds: float) -> str:
    """The table, the readings and the reasons below it, and what it was made with."""
    lines = [made_with(seconds), "", "| claim | statement | tolerance | measured | verdict |", "|--:|---|--:|--:|---|"]
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
    return "\n".join(lines)


def kept(rows: list[tuple[Claim, float]]) -> str:
    """The numbers as the other experiments keep theirs: by claim and statement, with the bounds of the claim.

    An upper bound alone is on a size, which is at least 0; a claim that does not hold is expected to miss by as much
    again, up to a factor of two.
    """
    lines = []
    for claim, measured in sorted(rows, key=lambda row: (row[0].number, row[0].sentence)):
        low, high = claim.wanted.low, claim.wanted.high
        bounds = (max(low, min(0.0, measured)), high) if claim.wanted.met(measured) else (measured / 2, measured * 2)
        name, numbers = f"{claim.number}/{claim.sentence}", [float(f"{x:.6g}") for x in (measured, *bounds)]
        lines.append(f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(numbers)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def made_with(seconds: float) -> str:
    device = jax.devices()[0]
    kind = platform.machine() if device.platform == "cpu" else device.device_kind
    versions = ", ".join(f"{name} {version(name)}" for name in ("jax", "ott-jax", "numpy"))
    day = datetime.datetime.now(datetime.UTC).date()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = f"{device.platform} ({kind}, {cores} cores)"
    return f"Run on {day}, {where}, Python {platform.python_version()}, {versions}, float64, {seconds:.0f} s."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
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
        page = (HERE / "README.md").read_text()
        (arguments.out / "results.json").write_text(kept(rows))
        made = table(rows, time.perf_counter() - start)
        block = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
        (arguments.out / "README.md").write_text(block.sub(lambda _: f"{BEGIN}\n\n{made}\n\n{END}", page))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
