"""The figures: samples of the papers' targets, W2 against steps, and masses and distances on 8 Gaussians."""

import itertools
from typing import Any

import jax
import numpy as np
from matplotlib.ticker import NullFormatter

import gmdwgf
from experiments.common.figures import bare
from experiments.common.record import mean_of_seeds
from experiments.neighbours import cao, deng, he, rings
from gmdwgf.plots.samples import panel, view_of
from gmdwgf.plots.style import COLUMN, INK, PAGE, TARGET, Figure, colour_of, drift_styles, legend_below, line_of, styled

N_TARGETS = 1500


def target_points(name: str, fields: dict[str, Any]) -> np.ndarray:
    if name == "three_rings":
        return np.asarray(rings.ThreeRings().sample(jax.random.key(0), rings.N))
    return np.asarray(gmdwgf.load_target(name, **fields).sample(jax.random.key(5), N_TARGETS))


@styled
def samples(shown: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]], columns: int) -> Figure:
    """Panels `(title, target, its fields, drift, cell)`: samples of the first seed over the target."""
    n_rows = -(-len(shown) // columns)
    figure = Figure((PAGE, (PAGE / columns + 0.2) * n_rows + 0.25), layout="constrained")
    places = figure.subplots(n_rows, columns, squeeze=False).ravel()
    for axes, (title, target, fields, drift, cell) in zip(places, shown, strict=False):
        y = target_points(target, fields)
        panel(axes, np.array(cell["samples"], float), y, view_of(y), drift, dot=1.5)
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=7)
    for axes in places[len(shown) :]:
        axes.set_axis_off()
    return figure


def gallery(cells: dict[str, Any]) -> list[tuple[str, str, dict[str, Any], str, dict[str, Any]]]:
    """What is shown of each paper."""
    ring = he.RING
    shown = [(f"Alg. 2, τ = 0.05\n{name.replace('_', ' ')}", name, fields, "deng", cells["deng"][name])
             for name, fields in deng.TARGETS.items()]  # fmt: skip
    shown += [
        (f"Sinkhorn, ε' = 0.1\n{name.replace('_', ' ')}", name, fields, "sinkhorn", cells["he"]["targets"][name])
        for name, fields in he.TARGETS.items()
    ]
    words = {"kl": "one-sided", "sinkhorn_proxy": "two-sided", "sinkhorn": "Sinkhorn"}
    shown += [(f"{word}\nε' = 0.01", *ring, drift, cells["he"][drift]["0.01"]) for drift, word in words.items()]
    shown.append(("score difference\nannealed", *ring, "kl", cells["annealing"]["annealed"]))
    shown += [
        (f"weight {weight},\nh {schedule}", *ring, "f_divergence", cells["cao"][f"{schedule}, {weight}, clip 1e6"])
        for schedule, weight in itertools.product(cao.SCHEDULES, cao.WEIGHTS[1:])
    ]
    of_rings = {
        "mmd": ("mmd", "MMD, Gaussian\nfrom around"),
        "drmmd, lam 0.01": ("drmmd", "DrMMD, λ = 0.01\nfrom around"),
        "riesz 1": ("mmd", "energy\nfrom far"),
        "sliced": ("sliced_mmd", "energy, sliced\nfrom far"),
        "gaussian": ("mmd", "MMD, Gaussian\nfrom far"),
    }
    flows = cells["rings"]
    return shown + [(title, "three_rings", {}, drift, flows[name]) for name, (drift, title) in of_rings.items()]


@styled
def distances(cells: dict[str, Any], n_steps: int) -> Figure:
    """W2 against steps: Sinkhorn and its one- and two-sided relatives on 8 Gaussians, one panel a regularisation."""
    figure = Figure((PAGE, 2.3), layout="constrained")
    axes = figure.subplots(1, len(he.EPSILONS), sharey=True)
    words = {"kl": "one-sided (kl)", "sinkhorn_proxy": "two-sided (sinkhorn_proxy)", "sinkhorn": "Sinkhorn"}
    steps = np.arange(1, he.MARKS + 1) * (n_steps // he.MARKS)
    for side, epsilon in zip(axes, he.EPSILONS, strict=True):
        for drift, word in words.items():
            curves = np.array(cells["he"][drift][f"{epsilon:g}"]["w2"])
            side.plot(steps, curves.mean(0), label=word, **line_of(drift_styles([drift])[drift]))
            side.fill_between(steps, curves.min(0), curves.max(0), color=colour_of(drift), alpha=0.18, linewidth=0)
        if epsilon == he.EPSILONS[-1]:
            annealed = np.array(cells["annealing"]["annealed"]["w2"])
            side.plot(steps, annealed.mean(0), color=colour_of("kl"), linestyle="--", label="one-sided, annealed to it")
        floor = cells["he"]["sinkhorn"][f"{epsilon:g}"]["floor"]["w2"]
        side.axhspan(
            floor[0] - 2 * floor[1], floor[0] + 2 * floor[1], color=TARGET, alpha=0.5, linewidth=0, label="data"
        )
        bare(side, xlabel="step", yscale="log", title=f"ε' = {epsilon:g}")
    axes[0].set(ylabel="W2, 8 Gaussians", yticks=(0.3, 0.5, 1, 2), yticklabels=("0.3", "0.5", "1", "2"))
    axes[0].yaxis.set_minor_formatter(NullFormatter())
    legend_below(figure)
    return figure


@styled
def flows(cells: dict[str, Any]) -> Figure:
    """W2 of the particle flows against the share of the steps; and the error of the slices."""
    figure = Figure((PAGE, 2.4), layout="constrained")
    chen, riesz, slices = figure.subplots(1, 3)
    shown = rings.DRMMD | rings.RIESZ
    styles = drift_styles(shown, {name: drift for name, (drift, *_) in shown.items()})
    for side, names in ((chen, rings.DRMMD), (riesz, rings.RIESZ)):
        for name in names:
            curves = np.array(cells["rings"][name]["w2"])
            time = np.linspace(0, 1, curves.shape[1])
            side.plot(time, curves.mean(0), label=name, markevery=2, **line_of(styles[name]))
        bare(side, xlabel="share of the steps", yscale="log")
        side.yaxis.set_minor_formatter(NullFormatter())
    chen.set_yticks((0.15, 0.2, 0.3), ("0.15", "0.2", "0.3"))
    chen.set(ylabel="W2", title="start around the rings")
    riesz.set_title("start at a point 5 away")
    numbers = [mean_of_seeds(row) for row in cells["rings"]["slices"]]
    slices.plot(rings.N_DIRECTIONS, [n.value for n in numbers], "o", color=colour_of("sliced_mmd"), markersize=3)
    reference = numbers[0].value * np.sqrt(rings.N_DIRECTIONS[0] / np.array(rings.N_DIRECTIONS))
    slices.plot(rings.N_DIRECTIONS, reference, color=INK, linestyle=":", label="P$^{-1/2}$")
    bare(
        slices, xlabel="directions P", ylabel="relative error", xscale="log", yscale="log", title="slices against pairs"
    )
    slices.yaxis.set_minor_formatter(NullFormatter())
    slices.set_yticks((0.03, 0.1, 0.3), ("0.03", "0.1", "0.3"))
    legend_below(figure, 5)
    return figure


@styled
def masses(cells: dict[str, Any]) -> Figure:
    """Masses of the eight modes, seeds side by side, in order of size, for the score difference and its weights."""
    shown = {f"fixed {name}": cells["annealing"][name] for name in ("narrow", "middle", "wide")}
    shown |= {"annealed": cells["annealing"]["annealed"]}
    shown |= {
        f"weight {name.partition(', ')[2]}, h {name.partition(',')[0]}": cell for name, cell in cells["cao"].items()
    }
    figure = Figure((COLUMN, 6.0), layout="constrained")
    axes = figure.subplots()
    for place, (name, cell) in enumerate(shown.items()):
        for seed, run in enumerate(cell["masses"]):
            height = place + 0.7 * (seed / max(len(cell["masses"]) - 1, 1) - 0.5)
            colour = colour_of("f_divergence" if "weight" in name else "kl")
            axes.plot(run, [height] * len(run), "|", color=colour, markersize=3)
    axes.axvline(1 / 8, color=INK, linestyle=":", linewidth=0.8)
    axes.set_yticks(range(len(shown)), list(shown))
    bare(axes, xlabel="mass of a mode (due: dotted)")
    axes.set_xlim(-0.02, 1.02)
    axes.invert_yaxis()
    return figure
