"""The loss surface with both points; rests over bandwidths; distances; limits; residuals."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.common.figures import bare
from experiments.common.record import Number
from experiments.minimiser.cells import BANDWIDTHS, BATCHES, GRID, LAWS, OF_TRANSPORT, PLACES
from experiments.minimiser.conditions import DRIFTS as CONDITIONS
from experiments.minimiser.finite_batches import SELF_TERMS, SIZES
from experiments.minimiser.laws import setting
from experiments.minimiser.limits import ETAS, WIDTHS
from experiments.minimiser.results import LEAST, SEEN, Found, of, pairs
from gmdwgf.plots.palette import OTHERS
from gmdwgf.plots.style import COLUMN, INK, PAGE, TARGET, Figure, colour_of, drift_styles, legend_below, line_of, styled

Numbers = dict[str, Number]
STYLES = drift_styles(["kl", "kl_wgf", "blob", "mmd", "sinkhorn"])
KL, FLOW = colour_of("kl"), colour_of("kl_wgf")
"""Colours of `kl`, and of the true flow `kl_wgf` and of the argmin."""
OF_TERM = {"keep": KL, "leave_one_out": OTHERS[0].colour, "two_batch": OTHERS[2].colour}
"""Colours of the self terms of `kl`: those that belong to no drift."""


def all_of(found: Found, numbers: Numbers) -> dict[str, Figure]:
    return {
        "surface": surface(found),
        "branches": branches(found),
        "distances": distances(numbers),
        "limits": limits(found, numbers),
        "conditions": conditions(numbers),
    }


@styled
def surface(found: Found) -> Figure:
    """KL(k * q || k * p) over the family at h = .8 with the argmin, the rest of `kl`, and where trainings ended."""
    ((_, values),) = of(found, "surface")
    answers = {d: of(found, "population", name="line", drift=d, h=0.8)[0][1] for d in ("kl", "kl_wgf")}
    argmin, rest = answers["kl"]["argmin"], answers["kl"]["rests"][0]
    figure = Figure((PAGE, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    heights = np.array(values)
    steps = argmin["value"] + np.array(
        [0.0005, 0.002, 0.004, rest["value"] - argmin["value"], 0.015, 0.03, 0.06, 0.12, 0.25]
    )
    left.contourf(
        GRID["centres"], GRID["widths"], np.log(heights - argmin["value"] + 2e-3), 24, cmap="Greys", alpha=0.6
    )
    lines = left.contour(GRID["centres"], GRID["widths"], heights, np.sort(steps), colors=INK, linewidths=0.5)
    left.clabel(lines, fmt="%.3f", fontsize=5)
    ends = {"kl": [], "kl_wgf": []}
    for _, cell, small, large in pairs(found):
        if cell["name"] == "line" and cell["h"] == 0.8 and cell["drift"] in ends:
            ends[cell["drift"]] = [small, large]
    for drift, colour in (("kl", KL), ("kl_wgf", FLOW)):
        for rows, marker in zip(ends[drift], (".", "+"), strict=False):
            left.plot(rows[:, 0], np.sqrt(rows[:, 1]), marker, color=colour, markersize=5, alpha=0.9, linestyle="none")
    place = lambda one: (one["moments"][0], np.sqrt(one["moments"][1]))
    left.plot(*place(argmin), "*", color=FLOW, markersize=15, markerfacecolor="none", markeredgewidth=1.5, zorder=5)
    left.plot(*place(rest), "X", color=KL, markersize=12, markerfacecolor="none", markeredgewidth=1.5, zorder=5)
    note = {
        "textcoords": "offset points",
        "fontsize": 7,
        "bbox": {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
    }
    left.annotate(f"argmin, KL = {argmin['value']:.4f}", place(argmin), xytext=(12, -4), color=FLOW, **note)
    left.annotate(f"rest of kl, KL = {rest['value']:.4f}", place(rest), xytext=(12, 6), color=KL, **note)
    left.set(xlabel="centre c", ylabel="width w", title="KL(k∗q, k∗p) of q = N(c, w²), h = 0.8")
    left.set(xlim=(-0.45, 0.0), ylim=(0.92, 1.32))
    _smoothed(right, argmin, rest, 0.8)
    return figure


def _smoothed(axes: Axes, argmin: dict[str, Any], rest: dict[str, Any], h: float) -> None:
    """Smoothed densities of the target and of both members."""
    bare(axes)
    law = setting("line").target
    masses, centres = np.asarray(law.masses), np.asarray(law.centres)[:, 0]
    variances = np.asarray(law.covariances)[:, 0, 0]
    x = np.linspace(-4.5, 4.5, 400)[:, None]
    normal = lambda c, v: np.exp(-((x - c) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
    axes.fill_between(
        x[:, 0], normal(centres, variances) @ masses, color=TARGET, alpha=0.25, label="target p", linewidth=0
    )
    axes.fill_between(
        x[:, 0], normal(centres, variances + h**2) @ masses, color=TARGET, alpha=0.8, label="k∗p", linewidth=0
    )
    for one, colour, label in (
        (argmin, FLOW, "k∗q at the argmin (= rest of kl_wgf)"),
        (rest, KL, "k∗q at the rest of kl"),
    ):
        c, v = one["moments"]
        axes.plot(x[:, 0], normal(c, v + h**2)[:, 0], color=colour, label=label)
    axes.set(xlabel="x", ylabel="density", title="the smoothed laws", ylim=(0, 0.66))
    axes.legend(loc="upper right", fontsize=6)


@styled
def branches(found: Found) -> Figure:
    """Centres of all rests on the line against the bandwidth: filled stable, open unstable."""
    figure = Figure((PAGE, 2.7), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, drift, colour in zip(panels, ("kl", "kl_wgf"), (KL, FLOW), strict=True):
        bare(axes)
        cells = [one for one in of(found, "population", name="line", drift=drift) if one[0]["h"] >= BANDWIDTHS[0]]
        least = [(cell["h"], answer["argmin"]["moments"][0]) for cell, answer in cells]
        h, c = np.array(least).T
        jump = np.flatnonzero(np.abs(np.diff(c)) > 0.3) + 1  # from one minimum to another: no line between them
        h, c = np.insert(h, jump, np.nan), np.insert(c, jump, np.nan)
        axes.plot(h, c, "-", color=INK, linewidth=0.8, label="argmin of KL(k∗q, k∗p)", zorder=1)
        for stable in (True, False):
            at = [
                (cell["h"], one["moments"][0])
                for cell, answer in cells
                for one in answer["rests"]
                if (one["rate"] < 0) == stable
            ]
            face = colour if stable else "white"
            label = f"rest, {'stable' if stable else 'unstable'}"
            axes.plot(
                *np.array(at).reshape(-1, 2).T, "o", color=colour, markerfacecolor=face, markersize=3.5, label=label
            )
        axes.set(xscale="log", xlabel="bandwidth h", title=drift)
        axes.set_xticks(BANDWIDTHS, [f"{h:g}" for h in BANDWIDTHS])
        axes.minorticks_off()
    panels[0].set_ylabel("centre c at rest")
    panels[0].text(0.052, -0.9, "left mode", fontsize=6)
    panels[0].text(0.052, 1.07, "right mode", fontsize=6)
    legend_below(figure)
    return figure


@styled
def distances(numbers: Numbers) -> Figure:
    """Distance of the nearest stable rest from the argmin of the drift's functional, a panel a setting."""
    figure = Figure((PAGE, 2.3), layout="constrained")
    panels = figure.subplots(1, len(PLACES), sharey=True)
    titles = {
        "line": "line, d = 1",
        "banana": "banana, d = 2",
        "ring": "8 Gaussians, d = 2",
        "eight": "diagonal, d = 8",
    }
    for axes, name in zip(panels, PLACES, strict=True):
        bare(axes)
        for drift, style in STYLES.items():
            lengths = OF_TRANSPORT if drift == "sinkhorn" else BANDWIDTHS
            at = [(h, numbers[key].value) for h in lengths if (key := f"{name} {drift} h={h:g} distance") in numbers]
            if at:
                h, far = np.array(at).T
                label = f"{drift}" + (", from the argmin of KL(k∗q, k∗p)" if drift == "kl" else "")
                axes.plot(h, np.maximum(far, LEAST), linewidth=0.8, label=label, **line_of(style, 4))
        axes.axhline(0.01, color=TARGET, linewidth=0.8, linestyle="--")
        axes.set(xscale="log", yscale="log", xlabel="bandwidth h", title=titles[name], ylim=(4e-10, 3))
        axes.set_xticks((0.05, 0.2, 0.8), ("0.05", "0.2", "0.8"))
        axes.minorticks_off()
    panels[0].text(0.052, 0.014, "1 %", color=INK, fontsize=6)
    panels[0].set_ylabel("distance / width")
    legend_below(figure)
    return figure


@styled
def limits(found: Found, numbers: Numbers) -> Figure:
    """Error against eta; deviation of the variance against n; error against h."""
    figure = Figure((PAGE, 2.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes in (left, middle, right):
        bare(axes, xscale="log", yscale="log")
    dashes = {1: "-", 2: "--", 8: "-.", 32: ":"}
    for cell, answer in of(found, "euler"):
        colour, d = colour_of(cell["drift"]), cell["d"]
        label = cell["drift"] if d == 1 else None
        relative = np.array(answer["errors"]) / answer["moved"]
        left.plot(ETAS, relative, dashes[d], color=colour, label=label, linewidth=1)
        left.plot(ETAS, np.array(ETAS) * answer["constant"] / answer["moved"], "x", color=INK, markersize=3)
    left.set(xlabel="step η", ylabel="error / path", title="η → 0 (x: predicted)")
    left.legend()
    for (d, h), dash in zip(LAWS[:2], ("-", "--"), strict=True):
        ((_, answer),) = of(found, "exact_rests", d=d, h=h)
        for term in SELF_TERMS:
            off = np.abs(np.array(answer[term]) - 1)
            off[off < SEEN] = np.nan
            middle.plot(SIZES, off, dash, color=OF_TERM[term], label=term if dash == "-" else None, linewidth=1)
    for term in SELF_TERMS:
        found_at = np.array([numbers[f"trained {term} h=0.2 n={n} variance"] for n in BATCHES])
        off, half = np.abs(found_at[:, 0] - 1), (found_at[:, 2] - found_at[:, 1]) / 2
        bars = np.stack([np.minimum(half, 0.9 * off), half])  # down to nearly 0, on a logarithmic axis
        middle.errorbar(BATCHES, off, bars, fmt="o", color=OF_TERM[term], markersize=3, linewidth=0.8)
    middle.set(xlabel="batch n", ylabel="|variance − 1|", title="n → ∞ (h = 0.2; dashed 0.8)", ylim=(2e-6, 2))
    middle.legend(loc="upper right", fontsize=6)
    for cell, answer in of(found, "round_on_gaussian"):
        for drift in ("kl", "blob"):
            values = np.array(answer[drift])
            drawn = {"color": colour_of(drift), "label": drift if cell["d"] == 2 else None, "linewidth": 1}
            right.plot(WIDTHS, np.abs(values[:-1] - values[-1]), dashes[cell["d"]], **drawn)
    right.set(xlabel="bandwidth h", ylabel="|variance − its limit|", title="h → 0 (d = 2, 8, 32)")
    right.legend()
    return figure


@styled
def conditions(numbers: Numbers, h: float = 0.8) -> Figure:
    """Residual of each condition (rows) at the rest of each (columns)."""
    names = list(CONDITIONS)
    values = np.array([[numbers[f"residual of {row} at {at} h={h:g}"].value for at in names] for row in names])
    figure = Figure((COLUMN * 1.45, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(values, cmap="Oranges", vmin=0, vmax=0.4)
    short = [name.replace("sinkhorn_steps, ", "") for name in names]
    axes.set_xticks(range(len(names)), short, rotation=35, ha="right")
    axes.set_yticks(range(len(names)), short)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            text = "0" if value < 1e-6 else f"{value:.2g}" if value < 0.01 else f"{value:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=6)
    axes.set(xlabel="at the rest of", ylabel="residual of", title=f"|E[Jᵀv]| / (E|v|² E|J|²)^½, h = {h:g}")
    return figure
