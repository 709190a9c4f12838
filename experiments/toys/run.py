"""The paper's comparison on four toys, and where drifts diverge: `python -m experiments.toys.run [--preset quick|full]`."""

from experiments.common import record
from experiments.toys import divergence, findings, sweep


def main() -> None:
    experiment = record.Experiment(__file__, __doc__)
    numbers = divergence.shares(experiment)
    experiment.figure("divergence", divergence.map_of(numbers))
    where = record.table(["drift", *divergence.WAYS], divergence.table_rows(numbers))
    preset, folder = ("quick", "paper_toys") if experiment.quick else ("full", "paper_toys_full")
    runs = sweep.train(preset, record.ROOT / "runs" / folder)
    of_sweep = findings.numbers_of(runs)
    for path in sweep.draw(runs, experiment.out / "figures", experiment.vector):
        print(path.name, flush=True)
    words = ["", "Values with which every seed diverged (|x| > 100, or a number that is not finite):", "", *where]
    experiment.write(numbers | of_sweep, [*findings.lines(runs, of_sweep), *words])


if __name__ == "__main__":
    main()
