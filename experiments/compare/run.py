"""Like for like: every drift with its best and its median setting, for equal samples and for equal time; the size of the
batch; and a transport drift that hands over to a local one. `python -m experiments.compare.run [--preset quick|full]`.
"""

from collections.abc import Sequence

import numpy as np

from experiments.common import record
from experiments.common.record import Number, count_of_seeds, mean_of_seeds
from experiments.compare import figures
from experiments.compare.baselines import METHODS, trained_baseline
from experiments.compare.choice import Held, held_out, measured_seconds, ranks
from experiments.compare.contenders import ARENAS, CONTENDERS, VARIANTS, Setting, handed_over, paces, trained

BATCHES = (64, 128, 256, 512)
FLOORS = ("sinkhorn, two batches", "sinkhorn, one batch", "kl", "kl, two batches", "deng")
FIRST, FOLLOWERS = "sinkhorn, two batches", {"deng": (0.25, 0.5, 0.75), "kl": (0.5,)}


class Comparison:
    """The cells of the experiment and the numbers made of them."""

    def __init__(self, experiment: record.Experiment):
        self.experiment, self.quick = experiment, experiment.quick
        self.width = 128 if self.quick else 256
        self.seeds = range(8)
        self.fresh = range(10, 18)
        self.numbers: dict[str, Number] = {}
        self.held: dict[str, dict[str, Held]] = {arena: {} for arena in ARENAS}
        self.steps_of_grid: dict[str, dict[str, float]] = {arena: {} for arena in ARENAS}
        self.seconds: dict[str, dict[str, float]] = {}
        self.baselines: dict[str, Setting] = {}

    def train(self, name: str, setting: Setting, arena: str, seed: int, n_steps: int = 0, batch: int = 256) -> dict:
        """One training; where it diverges, the last good state is scored."""
        n_steps = n_steps or ARENAS[arena].steps[self.quick]
        sizes = {"n_steps": n_steps, "batch": batch, "width": self.width}
        return self.experiment.cell(trained, name=name, setting=list(setting), arena=arena, seed=seed, **sizes)

    def chosen(self, name: str, arena: str) -> Setting:
        """The setting that the grid of the contender chose."""
        return self.held[arena][VARIANTS.get(name, (name,))[0]].chosen

    def tune(self, arena: str, name: str) -> None:
        """All settings on all seeds, for equal samples; what its grid cost."""
        settings = CONTENDERS[name].settings()
        cells = [[self.train(name, setting, arena, seed) for seed in self.seeds] for setting in settings]
        self.held[arena][name] = self.grid(f"{arena}/samples/{name}", cells, settings, arena)
        self.steps_of_grid[arena][name] = sum(cell["n_steps"] for row in cells for cell in row) / len(self.seeds)

    def grid(self, key: str, cells: list[list[dict]], settings: Sequence[Setting], arena: str) -> Held:
        """Keep the numbers of a grid, `cells[setting][seed]`; all scores of a seed are of the setting that the others choose."""
        found = held_out([[cell["mmd2"] for cell in row] for row in cells], settings)
        best = [cells[k][seed] for seed, k in enumerate(found.places)]
        self.numbers |= {
            f"{key}/best": mean_of_seeds(found.best),
            f"{key}/median": mean_of_seeds(found.median),
            f"{key}/near": mean_of_seeds([cell["near"] for cell in best]),
            f"{key}/diverged": count_of_seeds(
                [sum(row[s]["diverged"] for row in cells) for s in self.seeds], len(cells)
            ),
        }
        self.masses(key, best, arena)
        return found

    def tune_baseline(self, arena: str, name: str) -> None:
        """The same grid for a model that is no drift, once for each way to sample from it."""
        method, n_steps = METHODS[name], ARENAS[arena].steps[self.quick]
        sizes = {"n_steps": n_steps, "batch": 256, "width": self.width}
        cells = [
            [
                self.experiment.cell(trained_baseline, name=name, setting=list(s), arena=arena, seed=seed, **sizes)
                for seed in self.seeds
            ]
            for s in method.settings
        ]
        for sampler in method.samplers:
            key = f"{arena}/baselines/{method.words}, {sampler}"
            found = self.grid(key, [[cell[sampler] for cell in row] for row in cells], method.settings, arena)
            self.baselines[key] = found.chosen
            seconds = [cell[sampler]["seconds"] for row in cells for cell in row]
            self.numbers[f"{key}/seconds"] = measured_seconds(float(np.median(seconds)))

    def pace(self, arena: str) -> None:
        """Seconds of a step, of a training and of the grid of every contender."""
        settings = {name: list(self.chosen(name, arena)) for name in CONTENDERS}
        n_steps = ARENAS[arena].steps[self.quick]
        sizes = {"n_steps": n_steps, "batch": 256, "width": self.width}
        self.seconds[arena] = self.experiment.cell(paces, settings=settings, arena=arena, **sizes)
        for name, seconds in self.seconds[arena].items():
            self.numbers[f"{arena}/seconds/{name}/run"] = measured_seconds(seconds * n_steps)
            self.numbers[f"{arena}/seconds/{name}/grid"] = measured_seconds(seconds * self.steps_of_grid[arena][name])

    def masses(self, key: str, cells: list[dict], arena: str) -> None:
        """The mass near the mode that should have 0.2, where masses differ."""
        if arena == "mismatched":
            self.numbers[f"{key}/mass"] = mean_of_seeds([cell["masses"][1] for cell in cells])

    def equal_time(self, arena: str, name: str) -> list[float]:
        """The chosen setting on fresh seeds, for as many steps as fit into the time; the kept cell says how many."""
        seconds = ARENAS[arena].seconds[self.quick]
        steps = max(50, round(seconds / self.seconds[arena][name] / 50) * 50)
        cells = [self.train(name, self.chosen(name, arena), arena, seed, steps) for seed in self.fresh]
        self.numbers[f"{arena}/time/{name}/best"] = mean_of_seeds([cell["mmd2"] for cell in cells])
        self.numbers[f"{arena}/time/{name}/steps"] = measured_seconds(steps)
        return [cell["mmd2"] for cell in cells]

    def floor(self, name: str) -> None:
        """MMD^2 on equal masses against the size of the batch, everything else as chosen."""
        for batch in BATCHES:
            cells = [self.train(name, self.chosen(name, "matched"), "matched", s, batch=batch) for s in self.fresh]
            self.numbers[f"floor/{name}/{batch}"] = mean_of_seeds([cell["mmd2"] for cell in cells])

    def hand_over(self, arena: str) -> None:
        """Each drift alone and the two one after the other, on the same fresh seeds."""
        alone = {}
        for name in (FIRST, *FOLLOWERS):
            cells = [self.train(name, self.chosen(name, arena), arena, seed) for seed in self.fresh]
            alone[name] = self.kept(f"handover/{arena}/{name} alone", cells, arena)
        for name, fractions in FOLLOWERS.items():
            parts = {part: list(self.chosen(part, arena)) for part in (FIRST, name)}
            sizes = {"n_steps": ARENAS[arena].steps[self.quick], "batch": 256, "width": self.width}
            for fraction in fractions:
                cells = [
                    self.experiment.cell(handed_over, parts=parts, fraction=fraction, arena=arena, seed=seed, **sizes)
                    for seed in self.fresh
                ]
                key = f"handover/{arena}/{name} after {fraction:g}"
                after = self.kept(key, cells, arena)
                rival = min(alone[FIRST], alone[name], key=sum)
                gains = [theirs - ours for theirs, ours in zip(rival, after, strict=True)]
                self.numbers[f"{key}/gain"] = mean_of_seeds(gains)

    def kept(self, key: str, cells: list[dict], arena: str) -> list[float]:
        """Keep MMD^2 and masses of some trainings under `key`, and return MMD^2 by seed."""
        values = [cell["mmd2"] for cell in cells]
        self.numbers[key] = mean_of_seeds(values)
        self.masses(key, cells, arena)
        return values


HEAD = ["drift", "setting", "rank, equal samples", "MMD², best", "MMD², median", "near", "rank, equal time", "MMD²", "steps",
        "s a run", "s its grid", "diverged, of 4"]  # fmt: skip
COLUMNS = ["samples/{}/rank", "samples/{}/best", "samples/{}/median", "samples/{}/near", "time/{}/rank", "time/{}/best"]
COUNTS = ["time/{}/steps", "seconds/{}/run", "seconds/{}/grid", "samples/{}/diverged"]


def lines(found: Comparison) -> list[str]:
    """The tables of the README."""
    written = []
    for arena, (_, _, words, steps, seconds) in ARENAS.items():
        title = f"**{words}**: {steps[found.quick]:,} steps, or {seconds[found.quick]:g} s of training."
        rows = [row_of(found, arena, name) for name in CONTENDERS]
        by_rank = sorted(rows, key=lambda row: float(row[2].split()[0]))
        written += [title, "", *record.table(HEAD, by_rank), ""]
    return written + baseline_lines(found) + handover_lines(found) + floor_lines(found)


def row_of(found: Comparison, arena: str, name: str) -> list[str]:
    get = lambda column: found.numbers[f"{arena}/{column.format(name)}"]
    setting = f"{CONTENDERS[name].number.split('.')[-1]} {found.chosen(name, arena)}".strip()
    counts = [f"{get(column).value:.3g}" for column in COUNTS]
    return [f"`{name}`", setting.replace("learning_rate", "critic's rate"), *(str(get(c)) for c in COLUMNS), *counts]


def baseline_lines(found: Comparison) -> list[str]:
    """A table of the models that are no drifts."""
    rows = []
    for key, setting in found.baselines.items():
        arena, _, words = key.split("/")
        scores = [str(found.numbers[f"{key}/{column}"]) for column in ("best", "median", "near")]
        seconds = found.numbers[f"{key}/seconds"].value
        rows.append([f"{ARENAS[arena].words}: {words}", str(setting), *scores, f"{seconds:.3g}"])
    title = "**Models that are no drifts**, with the same network, batches, steps and seeds, each with four settings of its own:"
    return ["", title, "", *record.table(["", "setting", "MMD², best", "MMD², median", "near", "s a run"], rows)]


def handover_lines(found: Comparison) -> list[str]:
    written = [
        "",
        "**Hand-over**: a gain is how much lower MMD² is than that of the better of the two drifts alone.",
        "",
    ]
    rows = []
    for key in (key for key in found.numbers if key.startswith("handover/") and key.count("/") == 2):
        _, arena, words = key.split("/")
        rest = [str(found.numbers[f"{key}/{k}"]) if f"{key}/{k}" in found.numbers else "" for k in ("gain", "mass")]
        rows.append([f"{arena}: {words}", str(found.numbers[key]), *rest])
    return written + record.table(["", "MMD²", "gain", "mass of the lighter mode (0.2)"], rows)


def floor_lines(found: Comparison) -> list[str]:
    rows = [[f"`{name}`", *(str(found.numbers[f"floor/{name}/{batch}"]) for batch in BATCHES)] for name in FLOORS]
    return ["", "**MMD² against the batch**, 8 Gaussians:", ""] + record.table(["drift", *map(str, BATCHES)], rows)


def main() -> None:
    experiment = record.Experiment(__file__, __doc__)
    found = Comparison(experiment)
    for arena in ARENAS:
        for name in CONTENDERS:
            found.tune(arena, name)
        found.pace(arena)
        raced = {name: found.equal_time(arena, name) for name in CONTENDERS}
        for budget, scores in (
            ("samples", {name: held.best for name, held in found.held[arena].items()}),
            ("time", raced),
        ):
            found.numbers |= {f"{arena}/{budget}/{name}/rank": rank for name, rank in ranks(scores).items()}
        for name in METHODS:
            found.tune_baseline(arena, name)
        found.hand_over(arena)
    for name in FLOORS:
        found.floor(name)
    for name, draw in figures.FIGURES.items():
        experiment.figure(name, draw(found.numbers))
    experiment.write(found.numbers, lines(found))


if __name__ == "__main__":
    main()
