"""The figures of the comparison, from its numbers alone."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from experiments.common.figures import bare
from experiments.common.record import Number
from experiments.compare.contenders import ARENAS, CONTENDERS, VARIANTS, config_of
from gmdwgf.plots.style import COLUMN, INK, PAGE, Figure, drift_styles, line_of, styled

Numbers = dict[str, Number]
NAMES = ["sinkhorn, one batch", *CONTENDERS, *VARIANTS]
STYLES = drift_styles(NAMES, {name: config_of(name) for name in NAMES})
"""Of the Sinkhorn drifts the one with two batches is hollow and dashed, as that of `kl` is."""

PANELS = [f"{arena}/{budget}" for arena in ARENAS for budget in ("samples", "time")]
SHORT = {"matched": "8 Gaussians", "mismatched": "masses 80 : 20"}
TITLES = SHORT | {"mismatched": "two modes, masses 80 : 20"}


def _mark(axes: Axes, x: float, y: float, name: str, **bars) -> None:
    axes.errorbar(x, y, **bars, **line_of(STYLES[name], 4), elinewidth=0.9)


def _bars(number: Number, least: float = 1e-5) -> np.ndarray:
    """Lengths of the bars below and above, which stay on a logarithmic axis."""
    return np.array([[number.value - max(number.low, least)], [number.high - number.value]]).clip(0)


def _scores(axes: Axes, values: list[float], which: str = "x") -> None:
    """A logarithmic axis around the means: a bar that goes below half of the least of them is cut."""
    axes.set(**{f"{which}scale": "log", f"{which}lim": (min(values) / 2, 2 * max(values)), f"{which}label": "MMD²"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_minor_formatter(NullFormatter())


def _by_drift(height: float, draw: Callable[[Axes, str, int, str], None]) -> tuple[Figure, dict[str, Axes]]:
    """A panel for each target and budget (by `target/budget`), a line for each drift, which `draw` is asked for."""
    figure = Figure((PAGE, height), layout="constrained")
    panels = dict(zip(PANELS, figure.subplots(1, len(PANELS), sharey=True), strict=True))
    for panel, axes in panels.items():
        for place, name in enumerate(reversed(CONTENDERS)):
            draw(axes, panel, place, name)
        axes.set_yticks(range(len(CONTENDERS)), reversed(CONTENDERS))
        arena, budget = panel.split("/")
        axes.set_title(f"{SHORT[arena]},\nequal {budget}")
        axes.grid(axis="y", linewidth=0.3, alpha=0.5)
        bare(axes)
    return figure, panels


@styled
def league(numbers: Numbers) -> Figure:
    """MMD^2 of every drift at its best (full) and median setting (bar), for equal samples and equal time."""

    def scores(axes: Axes, panel: str, place: int, name: str) -> None:
        best = numbers[f"{panel}/{name}/best"]
        _mark(axes, best.value, place, name, xerr=_bars(best))
        if panel.endswith("samples"):
            median = numbers[f"{panel}/{name}/median"].value
            axes.plot([median], [place], "|", color=INK, markersize=8, markeredgewidth=1.2)

    figure, panels = _by_drift(2.9, scores)
    for panel, axes in panels.items():
        _scores(axes, [numbers[f"{panel}/{name}/best"].value for name in CONTENDERS])
    return figure


@styled
def league_ranks(numbers: Numbers) -> Figure:
    """Ranks with their bootstrap intervals."""

    def ranks(axes: Axes, panel: str, place: int, name: str) -> None:
        rank = numbers[f"{panel}/{name}/rank"]
        _mark(axes, rank.value, place, name, xerr=_bars(rank, 1))

    figure, panels = _by_drift(2.7, ranks)
    for axes in panels.values():
        axes.set_xticks([1, 4, 8, 11])
        axes.set_xlabel("rank")
    return figure


@styled
def cost(numbers: Numbers) -> Figure:
    """MMD^2 against the seconds of a run (mark) and of its whole grid (end of the line)."""
    figure = Figure((PAGE, 2.9), layout="constrained")
    for axes, arena in zip(figure.subplots(1, 2), ARENAS, strict=True):
        for name in CONTENDERS:
            best = numbers[f"{arena}/samples/{name}/best"]
            run, grid = (numbers[f"{arena}/seconds/{name}/{what}"].value for what in ("run", "grid"))
            style = STYLES[name]
            axes.plot([run, run + grid], [best.value] * 2, color=style.colour, linewidth=0.9, alpha=0.6)
            axes.plot([run + grid], [best.value], "|", color=style.colour, markersize=6)
            marked = line_of(style, 4) | {"linestyle": "none", "zorder": 3}
            axes.plot([run], [best.value], label=name if arena == "matched" else None, **marked)
        axes.set(xscale="log", yscale="log", xlabel="seconds of one run, and with its grid", ylabel="MMD²")
        axes.set_xticks([1, 3, 10, 30], ["1", "3", "10", "30"])
        axes.set_yticks([0.001, 0.003, 0.01], ["0.001", "0.003", "0.01"])
        axes.minorticks_off()
        axes.set_title(TITLES[arena])
        bare(axes)
    figure.legend(loc="outside right center")
    return figure


@styled
def batch_floor(numbers: Numbers) -> Figure:
    """MMD^2 against the batch, full for one batch and dashed for its other form."""
    figure = Figure((COLUMN, 2.7), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(key.split("/")[1] for key in numbers if key.startswith("floor/")))
    for nudge, name in enumerate(names):
        batches = sorted(int(key.split("/")[2]) for key in numbers if key.startswith(f"floor/{name}/"))
        row = [numbers[f"floor/{name}/{batch}"] for batch in batches]
        x = np.array(batches) * 1.02 ** (nudge - len(names) / 2)
        bars = {"yerr": np.hstack([_bars(n) for n in row]), "elinewidth": 0.7}
        axes.errorbar(x, [n.value for n in row], label=name, **bars, **line_of(STYLES[name], 3.5))
    _scores(axes, [number.value for key, number in numbers.items() if key.startswith("floor/")], "y")
    axes.set(xscale="log", xlabel="batch")
    axes.set_xticks(batches, map(str, batches))
    axes.minorticks_off()
    bare(axes)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def handover(numbers: Numbers) -> Figure:
    """MMD^2 of drifts alone and one after the other."""
    figure = Figure((PAGE, 2.4), layout="constrained")
    for axes, arena in zip(figure.subplots(1, 2, sharey=True), ARENAS, strict=True):
        start = f"handover/{arena}/"
        keys = [key for key in numbers if key.startswith(start) and key.count("/") == 2]
        for place, key in enumerate(reversed(keys)):
            words = key.removeprefix(start)
            name = next(n for n in ("sinkhorn, two batches", "deng", "kl") if words.startswith(n))
            _mark(axes, numbers[key].value, place, name, xerr=_bars(numbers[key]))
        axes.set_yticks(range(len(keys)), [_words(key.removeprefix(start)) for key in reversed(keys)])
        axes.set(xscale="log", xlabel="MMD²", title=TITLES[arena])
        axes.grid(axis="y", linewidth=0.3, alpha=0.5)
        bare(axes)
    return figure


def _words(entry: str) -> str:
    name, *rest = entry.split(" after ")
    return f"sinkhorn to {rest[0]}, then {name}" if rest else entry


FIGURES = {"league": league, "ranks": league_ranks, "cost": cost, "batch_floor": batch_floor, "handover": handover}
