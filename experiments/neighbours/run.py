"""Planar results of neighbouring papers, with numbers and intervals: `python experiments/neighbours/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import annealing  # noqa: E402
import cao  # noqa: E402
import deng  # noqa: E402
import he  # noqa: E402
import record  # noqa: E402
import rings  # noqa: E402
from common import FULL, QUICK  # noqa: E402

PAPERS = {"deng": deng, "he": he, "rings": rings, "annealing": annealing, "cao": cao}


def main() -> None:
    experiment = record.Experiment(__file__, __doc__)
    sizes = QUICK if experiment.quick else FULL
    cells = {name: paper.measure(experiment, sizes) for name, paper in PAPERS.items()}
    rows = [row for name, paper in PAPERS.items() for row in paper.rows(cells[name])]
    for row in rows:
        print(*row)


if __name__ == "__main__":
    main()
