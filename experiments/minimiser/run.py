"""Is what a drifting model comes to rest at the minimiser of the smoothed KL, when the family does not hold the target?"""

from collections.abc import Callable
from typing import Any

from experiments.common.cores import on_all_cores
from experiments.common.record import Experiment
from experiments.minimiser import cells, figures, tables
from experiments.minimiser.conditions import residuals, rest, transport
from experiments.minimiser.findings import Findings
from experiments.minimiser.finite_batches import exact_rests
from experiments.minimiser.limits import euler, round_on_gaussian
from experiments.minimiser.rests import population, surface
from experiments.minimiser.results import Found, numbers_of
from experiments.minimiser.training import trained

COMPUTE: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (population, trained, rest, residuals, transport, exact_rests, euler, round_on_gaussian, surface)
}


def work(compute: str, **fields: Any) -> None:
    """Compute one cell, in a process of its own."""
    Experiment(__file__, __doc__).cell(COMPUTE[compute], **fields)


def main() -> None:
    experiment = Experiment(__file__, __doc__)
    ask = lambda cell: experiment.cell(COMPUTE[cell["compute"]], **{k: v for k, v in cell.items() if k != "compute"})
    on_all_cores(work, cells.independent(experiment.quick))
    found: Found = [(cell, ask(cell)) for cell in cells.independent(experiment.quick)]
    found += [(cell, ask(cell)) for cell in cells.residuals_of(found)]
    numbers = numbers_of(found)
    for name, figure in figures.all_of(found, numbers).items():
        experiment.figure(name, figure)
    experiment.write(numbers, [*tables.all_of(numbers), "**What came out.**", "", *Findings(numbers).lines()])


if __name__ == "__main__":
    main()
