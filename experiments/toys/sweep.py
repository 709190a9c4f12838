"""The sweep `experiment=paper_toys`: run what is missing of it, read it back, and draw it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from experiments.common.record import ROOT, Number, mean_of_seeds, small_png
from gmdwgf.analysis.cells import caption, cells, varied
from gmdwgf.reports.figures import draw_figures, floor_of
from gmdwgf.reports.findings import Score, best, score
from gmdwgf.runs.records import RunFiles, read_all

WIDEST = 900
"""Dots across a picture: 133 an inch of a page."""


def train(preset: str, root: Path) -> list[RunFiles]:
    """All runs of the sweep; those that are done are not repeated."""
    words = ["experiment=paper_toys", f"preset={preset}", f"paths.root={root}", "tracking.wandb.mode=disabled"]
    subprocess.run([sys.executable, "-m", "gmdwgf.train", *words], check=True, cwd=ROOT)
    return read_all(root)


def scores(runs: Sequence[RunFiles]) -> dict[tuple[str, str], list[Score]]:
    """The settings of every dataset and drift, with their MMD^2 over the seeds."""
    found: dict[tuple[str, str], list[Score]] = {}
    for cell in cells(runs, varied(runs)):
        found.setdefault((cell.dataset, cell.drift), []).append(score(cell))
    return found


def numbers_of(runs: Sequence[RunFiles]) -> dict[str, Number]:
    """MMD^2 of the best setting, that setting's place in the grid apart, the runs that diverged, and the floor."""
    numbers = {}
    for (dataset, drift), found in scores(runs).items():
        chosen = best(found)
        values = [run.last["mmd2"] for run in chosen.cell.runs if run.state == "done"]
        if values:
            numbers[f"{dataset}/{drift}/mmd2"] = mean_of_seeds(values)
        lost = sum(s.count("diverged") for s in found)
        numbers[f"{dataset}/{drift}/diverged"] = Number(lost, max(lost - 1, 0), lost + 1)
        good = sum(s.verdict in ("floor", "close") for s in found)
        numbers[f"{dataset}/{drift}/close"] = Number(good, max(good - 1, 0), good + 1)
    for dataset in sorted({run.dataset for run in runs}):
        edge = floor_of(runs, dataset)
        if edge:
            numbers[f"{dataset}/floor"] = Number(edge[1], edge[1] / 2, edge[1] * 2)
    return numbers


def rows(runs: Sequence[RunFiles]) -> list[list[str]]:
    """A line a drift, a column a dataset: the best setting, MMD^2 there, and how many times the floor's edge that is."""
    found = scores(runs)
    datasets, drifts = (list(dict.fromkeys(key[i] for key in found)) for i in (0, 1))
    words = lambda s: f"{caption(s.cell.settings)}: {s.mean:.2g} ({s.ratio:.1f}×)"
    return [[f"`{drift}`", *(words(best(found[d, drift])) for d in datasets)] for drift in drifts]


def draw(runs: Sequence[RunFiles], folder: Path) -> Iterator[Path]:
    """The report's figures as small PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        for path in draw_figures(runs, Path(made)):
            if path.suffix == ".png":
                with Image.open(path) as drawn:
                    scale = min(1.0, WIDEST / drawn.width)
                small_png(path, folder / path.name, scale)
                yield folder / path.name
