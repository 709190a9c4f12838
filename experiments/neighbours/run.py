"""Planar results of neighbouring papers, with numbers and intervals: `python -m experiments.neighbours.run`."""

from experiments.common import record
from experiments.neighbours import annealing, cao, deng, figures, he, rings
from experiments.neighbours.common import FULL, QUICK, Row

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
    numbers = {name_of(row): row.measured for row in rows} | cao.numbers(cells["cao"])
    experiment.write(numbers, [*lines, "", *cao.lines(cells["cao"])])


if __name__ == "__main__":
    main()
