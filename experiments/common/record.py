"""What the experiments share: cells that are computed once, numbers with intervals, and the pages these are written into.

An experiment is a folder with a `run.py` and a `README.md`, run from the root of the repository by
`python -m experiments.NAME.run`. It cuts its work into *cells* (one training, one search); a
cell that is done is kept under `runs/experiments/`, so that the same command, typed again after an interruption, goes on.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gmdwgf.plots.style import Figure, save

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- numbers: written by run.py -->", "<!-- end of numbers -->"


class Number(NamedTuple):
    """A result: what was measured, and its 95 % interval, or other bounds that the function below that made it states."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.2g} to {self.high:.2g})"


def mean_of_seeds(values: Sequence[float]) -> Number:
    """The mean over independent seeds, and its 95 % interval by Student's t; without bounds for fewer than two."""
    from scipy.stats import t

    x = np.asarray(values, float)
    half = t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.inf
    return Number(float(x.mean()), float(x.mean() - half), float(x.mean() + half))


def count_of_seeds(counts: Sequence[float], of: int) -> Number:
    """The mean of counts between 0 and `of` over independent seeds, with the 95 % interval of Clopper and Pearson times `of`.

    A seed counts as one binomial trial that succeeds by the share `count / of`. No law of shares in [0, 1] varies more than the
    binomial one of the same mean, so that the interval holds whatever the dependence within a seed, and does not shrink to nothing
    when all seeds agree.
    """
    from scipy.stats import beta

    n, successes = len(counts), float(np.sum(counts)) / of
    low = beta.ppf(0.025, successes, n - successes + 1) if successes > 0 else 0.0
    high = beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1.0
    return Number(of * successes / n, of * float(low), of * float(high))


def median_of_seeds(values: Sequence[float]) -> Number:
    """The median over seeds, with the least and the largest as bounds."""
    return Number(float(np.median(values)), min(values), max(values))


def exact(value: float, tolerance: float = 1e-3) -> Number:
    """A number without chance in it; other machines may differ by rounding, `tolerance` of it."""
    return Number(float(value), float(value - abs(value) * tolerance), float(value + abs(value) * tolerance))


class Experiment:
    """One experiment: its folder, its preset, and its kept cells."""

    def __init__(self, script: str, doc: str | None):
        self.here = Path(script).resolve().parent
        parser = argparse.ArgumentParser(
            f"python -m experiments.{self.here.name}.run",
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--preset", choices=("quick", "full"), default="quick", help="sizes: 2 CPU cores, or a GPU")
        parser.add_argument("--out", type=Path, help="folder to write into, instead of the experiment's own")
        parser.add_argument("--vector", action="store_true", help="figures also as PDF, beside the PNG")
        arguments = parser.parse_args()
        self.out = (arguments.out or self.here).resolve()
        self.quick, self.vector = arguments.preset == "quick", arguments.vector
        self.cells = ROOT / "runs" / "experiments" / self.here.name / arguments.preset
        self.started, self.n_cells = time.perf_counter(), 0

    def cell(self, compute: Callable[..., Any], **fields: Any) -> Any:
        """What `compute(**fields)` returns (numbers, lists, dictionaries of them), computed once and kept as JSON."""
        name = json.dumps([compute.__name__, fields], sort_keys=True)
        path = self.cells / f"{compute.__name__}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"
        self.n_cells += 1
        if not path.is_file():
            start = time.perf_counter()
            answer = compute(**fields)
            text = json.dumps({"cell": json.loads(name), "answer": answer, "seconds": time.perf_counter() - start})
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".tmp").write_text(text)
            os.replace(path.with_suffix(".tmp"), path)
            words = ", ".join(f"{key}={value}" for key, value in fields.items())
            spent, cell = time.perf_counter() - self.started, time.perf_counter() - start
            print(f"{spent:5.0f} s  {compute.__name__}({words}) in {cell:.1f} s", flush=True)
        return json.loads(path.read_text())["answer"]

    def figure(self, name: str, figure: Figure) -> None:
        """Write a figure into `figures/<name>.png`, at 200 dots an inch, and with `--vector` as PDF with its fonts."""
        path = self.out / "figures" / f"{name}.png"
        if self.vector:
            save(figure, path.with_suffix(".pdf"))
        save(figure, path)
        small_png(path, path, scale=2 / 3)

    def write(self, numbers: dict[str, Number], lines: Sequence[str]) -> None:
        """Keep the numbers in `results.json`, and put `lines` and what made them between the marks of the README."""
        keep(dict(sorted(numbers.items())), self.out / "results.json")
        into_readme(self.here, self.out, [*lines, "", made_with()])
        print(
            f"{self.here.name}: {len(numbers)} numbers of {self.n_cells} cells, {time.perf_counter() - self.started:.0f} s"
        )


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A Markdown table; the first column is words, the others are numbers."""
    marks = ["---", *["--:"] * (len(head) - 1)]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, marks, *rows)]


def keep(numbers: dict[str, Number], path: Path) -> None:
    """Write numbers with their bounds as JSON, a line each, in six digits."""
    rows = {name: [float(f"{x:.6g}") for x in number] for name, number in numbers.items()}
    text = ",\n".join(f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(row)}" for name, row in rows.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + text + "\n}\n")


def into_readme(here: Path, out: Path, lines: Sequence[str]) -> None:
    """The README of `here` with `lines` between its marks, into the folder `out`."""
    block = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    body = "\n".join([BEGIN, "", *lines, "", END])
    (out / "README.md").write_text(block.sub(lambda _: body, (here / "README.md").read_text()))


def small_png(path: Path, to: Path, scale: float) -> None:
    """A picture with `scale` times the dots, for the same size in print, in 256 colours, none of them mixed."""
    from PIL import Image

    with Image.open(path) as drawn:
        image, dots = drawn.convert("RGB"), scale * drawn.info["dpi"][0]
    image = image.resize((round(scale * image.width), round(scale * image.height)), Image.Resampling.LANCZOS)
    few = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(to, optimize=True, dpi=(dots, dots))


def made_with(*more: str) -> str:
    """The day, the machine, the versions, and what else there is to say."""
    import jax

    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kind = f"{platform.machine()}, {cores} cores" if device.platform == "cpu" else device.device_kind
    versions = [f"{name} {version(name)}" for name in ("jax", "ott-jax")]
    day = datetime.datetime.now(datetime.UTC).date()
    words = [f"{device.platform} ({kind})", f"Python {platform.python_version()}", *versions, *more]
    return f"Made on {day}, {', '.join(words)}."
