"""The sweep `experiment=paper_toys`: run what is missing of it, read it back, and draw it."""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from PIL import Image

from experiments.common.record import ROOT, small_png
from gmdwgf.config.build import config_dir
from gmdwgf.reports.figures import draw_figures
from gmdwgf.runs.records import RunFiles, read_all
from gmdwgf.tracking.progress import duration

WIDEST = 900
"""Dots across a picture: 133 an inch of a page."""

FIRST = {"dataset": "eight_gaussians", "seed": "0"}
"""The part of the sweep from whose times that of the whole is estimated."""


def train(preset: str, root: Path, *words: str) -> list[RunFiles]:
    """All runs of the sweep; those that are done are not repeated. `words` are further overrides, e.g. `drift=kl`."""
    asked = ["experiment=paper_toys", f"preset={preset}", f"paths.root={root}", "tracking.wandb.mode=disabled", *words]
    command = [sys.executable, "-m", "gmdwgf.train", *asked]
    if not any(word.startswith(("dataset=", "seed=")) for word in words):
        subprocess.run([*command, *(f"{key}={value}" for key, value in FIRST.items())], check=True, cwd=ROOT)
        print(estimate(read_all(root), preset), flush=True)
    subprocess.run(command, check=True, cwd=ROOT)
    return read_all(root)


def n_repetitions(preset: str) -> int:
    """Number of datasets times seeds, with which every setting is run."""
    params = [
        yaml.safe_load((config_dir() / f"{name}.yaml").read_text())["hydra"]["sweeper"]["params"]
        for name in ("experiment/paper_toys", f"preset/{preset}")
    ]
    axes = {key: value for found in params for key, value in found.items()}
    seeds = re.fullmatch(r"range\((\d+)\)", axes["seed"])
    return len(axes["dataset"].split(",")) * (int(seeds[1]) if seeds else len(axes["seed"].split(",")))


def estimate(runs: Sequence[RunFiles], preset: str) -> str:
    """The time of all runs that are left, in words: for each drift, their number times the mean time of its finished runs."""
    settings = Counter(run.drift for run in runs if (run.dataset, str(run.seed)) == tuple(FIRST.values()))
    spent: dict[str, list[float]] = {}
    for run in runs:
        if run.state in ("done", "diverged"):
            spent.setdefault(run.drift, []).append(float(run.ending.get("wall_seconds", 0.0)))
    whole = {drift: n * n_repetitions(preset) for drift, n in settings.items()}
    mean = {drift: sum(times) / len(times) for drift, times in spent.items()}
    seconds = lambda counts: duration(sum(n * mean.get(drift, 0.0) for drift, n in counts.items()))
    left = {drift: n - len(spent.get(drift, [])) for drift, n in whole.items()}
    return (
        f"paper_toys, preset {preset}: {sum(whole.values())} runs, about {seconds(whole)} one after another on this machine; "
        f"{sum(left.values())} are left, about {seconds(left)}. Typed again after an interruption, the command goes on."
    )


def draw(runs: Sequence[RunFiles], folder: Path, vector: bool = False) -> Iterator[Path]:
    """The report's figures as small PNG files, and as PDF if `vector`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        for path in draw_figures(runs, Path(made)):
            to = folder / path.name
            if path.suffix == ".png":
                with Image.open(path) as drawn:
                    scale = min(1.0, WIDEST / drawn.width)
                small_png(path, to, scale)
            elif path.suffix == ".pdf" and vector:
                to.write_bytes(path.read_bytes())
            else:
                continue
            yield to
