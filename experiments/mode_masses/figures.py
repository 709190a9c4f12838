"""The figures: speeds over the distance, plans between proxy and transport, the released loss, and masses after training."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.common.figures import bare
from experiments.common.record import mean_of_seeds
from experiments.mode_masses.drifts import ENTRIES, EVERY, FLOWS, NETWORKS, SIGMA
from experiments.mode_masses.speeds import TRANSPORT
from gmdwgf.plots.style import INK, PAGE, TARGET, Figure, colour_of, drift_styles, legend_below, line_of, styled

STYLES = drift_styles(EVERY, {name: entry.config for name, entry in EVERY.items()})
LEAST = 1e-7
"""Speeds below this are rounding, and are not shown."""


def style_of(name: str) -> dict[str, Any]:
    """The line of a drift."""
    return line_of(STYLES[name])


def over_distance(axes: Axes, distances: list[float]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(distances, [f"{distance / SIGMA:g}" for distance in distances])
    axes.minorticks_off()
    axes.set_xlabel("distance of the modes, σ")


@styled
def speeds(cells: dict[str, Any], distances: list[float]) -> Figure:
    """The mirrored clouds: what is left when the means of the modes do not differ by chance."""
    figure = Figure((PAGE, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    mean = lambda name: np.array(cells[name]["mirrored"]["speed"]).mean(1)
    noise = np.array(cells["kl"]["plain"]["speed"])[-1].std(ddof=1)
    for side, reaches in zip(axes, (("local", "steps"), ("speed", "long")), strict=True):
        over_distance(side, distances)
        side.plot(distances, TRANSPORT * np.array(distances), color=INK, linestyle=":", label="exact transport")
        for name, entry in ENTRIES.items():
            if entry.reach in reaches:
                shown = np.where(mean(name) > LEAST, mean(name), np.nan)
                side.plot(distances, shown, label=name, **style_of(name))
        bare(side, yscale="log")
    axes[0].axhspan(LEAST / 2, noise, color=TARGET, alpha=0.3, linewidth=0, label="one plain pair, kl: 1 sd")
    axes[0].set(ylabel="speed of the over-full mode", ylim=(LEAST / 2, 10), title="local")
    axes[1].set(ylim=(0.1, 10), title="long range")
    legend_below(figure)
    return figure


@styled
def plans(steps: dict[int, Any], scalings: dict[int, Any], distances: list[float]) -> Figure:
    """Share of exact transport after K corrections, over the distance and over K epsilon / L^2."""
    figure = Figure((PAGE, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    exact = TRANSPORT * np.array(distances)
    share = lambda cell: np.array(cell["mirrored"]["speed"]).mean(1) / exact
    for (n, cell), shade in zip(steps.items(), np.linspace(0.25, 1, len(steps)), strict=True):
        left.plot(distances, share(cell), color=colour_of("sinkhorn"), alpha=shade, marker="o", markersize=2.5)
        # Beside the last point before the fall; where there is none, beside the first point.
        before = max(np.sum(share(cell) > 0.5) - 1, 0)
        beside = {"xytext": (5, 2), "textcoords": "offset points", "fontsize": 7}
        left.annotate(str(n), (distances[before], share(cell)[before]), **beside)
    families = {"Sinkhorn corrections": ("sinkhorn", steps), "scalings of the proxy": ("sinkhorn_proxy", scalings)}
    for label, (name, cells) in families.items():
        many = [n for n in cells if n >= 3]
        relative = np.concatenate([n * SIGMA**2 / np.array(distances) ** 2 for n in many])
        shares = np.concatenate([share(cells[n]) for n in many])
        right.plot(relative, shares, "o", color=colour_of(name), markersize=3, label=label)
    over_distance(left, distances)
    bare(left, ylabel="speed over that of transport", title="K corrections")
    bare(right, xscale="log", xlabel="K ε / L²", title="by K ε / L²")
    right.set_xlim(left=1e-2)
    legend_below(figure)
    return figure


@styled
def released(cells: dict[str, Any], distances: list[float]) -> Figure:
    """The switches: speed of mirrored clouds in data units, and of plain ones in RMS drifts with 95 % bands of the mean."""
    figure = Figure((PAGE, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, cell in cells.items():
        has_floor, has_rms = "floor" in name, "rms" in name
        colour = colour_of("deng_released") if has_floor else INK
        drawn = {"color": colour, "linestyle": "-" if has_rms else (0, (4, 1.5))}
        speed, size = (np.array(cell["plain"][key]) for key in ("speed", "rms"))
        alone = np.array(cell["mirrored"]["speed"]).mean(1)
        left.plot(distances, alone, label=name, marker="o", markersize=2.5, **drawn)
        numbers = [mean_of_seeds(row) for row in speed / size]
        right.plot(distances, [number.value for number in numbers], marker="o", markersize=2.5, **drawn)
        bounds = [number.low for number in numbers], [number.high for number in numbers]
        right.fill_between(distances, *bounds, color=drawn["color"], alpha=0.15, linewidth=0)
    left.plot(distances, TRANSPORT * np.array(distances), color=INK, linestyle=":", label="exact transport")
    right.axhline(0, color=TARGET, linewidth=0.8)
    for axes in (left, right):
        over_distance(axes, distances)
    bare(left, yscale="log", ylabel="speed of the over-full mode", title="mirrored")
    bare(right, ylabel="speed in RMS drifts", title="plain")
    legend_below(figure)
    return figure


@styled
def after_training(particles: dict[str, Any], networks: dict[str, Any], distances: list[float], time: float) -> Figure:
    """Mass error after the flow, over its time at the middle distance, and after the training of a network."""
    figure = Figure((PAGE, 3.1), layout="constrained")
    axes = figure.subplots(1, 3)
    error = lambda cell: np.abs(np.array(cell["right"]) - 0.5).mean(1)
    for name in FLOWS:
        values, shown = error(particles[name]), style_of(name)
        axes[0].plot(np.linspace(0, time, values.shape[1]), values[1], label=name, **(shown | {"markersize": 2}))
        axes[1].plot(distances, values[:, -1], **shown)
    for name in NETWORKS:
        axes[2].plot(distances, error(networks[name])[:, -1], **style_of(name))
    for name in ("deng", "proxy"):
        freed = np.abs(np.array(networks[name]["freed"])[:, :, -1] - 0.5).mean(1)
        hollow = {"linestyle": (0, (1, 1.2)), "markerfacecolor": "white"}
        axes[2].plot(distances, freed, label=f"{name}, let go", **(style_of(name) | hollow))
    bare(axes[0], xlabel="time (steps × η)", ylabel="mass error", title=f"flow, L = {distances[1] / SIGMA:g} σ")
    for side, title in zip(axes[1:], (f"flow, time {time:g}", "network"), strict=True):
        over_distance(side, distances)
        bare(side, title=title)
    for side in axes:
        side.set_ylim(-0.01, 0.42)
        side.axhline(0.3, color=TARGET, linestyle=":")
    legend_below(figure)
    return figure
