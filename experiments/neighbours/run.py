"""Planar results of neighbouring papers, with numbers and intervals: `python experiments/neighbours/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import annealing  # noqa: E402
import cao  # noqa: E402
import deng  # noqa: E402
import figures  # noqa: E402
import he  # noqa: E402
import record  # noqa: E402
import rings  # noqa: E402
from common import FULL, QUICK, Row  # noqa: E402

PAPERS = {"deng": deng, "he": he, "rings": rings, "annealing": annealing, "cao": cao}


def name_of(row: Row) -> str:
    return f"{row.paper}: {row.statement}"


def main() -> None:
    experiment = record.Experiment(__file__, __doc__)
    sizes = QUICK if experiment.quick else FULL
    cells = {name: paper.measure(experiment, sizes) for name, paper in PAPERS.items()}
    rows = [row for name, paper in PAPERS.items() for row in paper.rows(cells[name])]
    experiment.figure("samples", figures.samples(figures.gallery(cells), columns=6))
    experiment.figure("distances", figures.distances(cells, sizes.n_steps))
    experiment.figure("flows", figures.flows(cells))
    experiment.figure("masses", figures.masses(cells))
    verdicts = [
        [row.paper, row.statement, row.measured, row.unit, "yes" if row.reproduced else "**no**"] for row in rows
    ]
    lines = record.table(["paper", "statement", "measured (95 %)", "of", "reproduced"], verdicts)
    experiment.write({name_of(row): row.measured for row in rows}, lines)


if __name__ == "__main__":
    main()
