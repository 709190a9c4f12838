"""The sliced energy drift against the same drift over all pairs, for growing clouds.

python scripts/benchmarks/sliced.py
"""

import functools
import math

import drifts
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from common import ROOT, Times, median_times, table, write_table

import gmdwgf
from gmdwgf.drifts import SlicedMMDDrift
from gmdwgf.pairs import reductions, slicing

SIZES = (1024, 4096, 16384, 65536, 262144)
ALL_PAIRS_UP_TO = 65536
FEW = 4
"""Spread in the plane they come nearer to all pairs of overlapping clouds than 64 independent directions (test_sliced_mmd.py)."""
PICTURE = ROOT / "docs" / "images" / "sliced.png"


def main() -> None:
    """Measure, keep the table, draw."""
    sliced, few = gmdwgf.load_drift("sliced_mmd"), gmdwgf.load_drift("sliced_mmd", n_projections=FEW)
    energy = gmdwgf.load_drift("mmd", kernel="energy")
    assert isinstance(sliced, SlicedMMDDrift)
    names = [f"{sliced.n_projections} directions", f"{FEW} directions", "all pairs"]
    rows, short, bound, curves = [], [], "", {name: {} for name in names}
    for n in SIZES:
        x, y = drifts.clouds(n, 2)
        asked = [sliced, few] + ([energy] if n <= ALL_PAIRS_UP_TO else [])
        functions = {
            name: drifts.question(drift, x, y)[0] for name, drift in zip(names[: len(asked)], asked, strict=True)
        }
        times = median_times(functions, repeats=2 if n >= ALL_PAIRS_UP_TO else 7)
        for name, spent in times.items():
            curves[name][n] = spent.median
        pairs = times.get("all pairs")
        ratios = ["" if pairs is None else pairs.over(times[name]) for name in names[:2]]
        if pairs is not None and n == ALL_PAIRS_UP_TO:
            told = f"{times[names[0]]}; the same over all pairs {ratios[0]} as long, over {names[1]} {ratios[1]}"
            alone = sorts(sliced.n_projections, n)
            bound = f"Sorting alone takes {alone} for {names[0]}: no more than {pairs.median / alone.median:.0f}x can be had."
            exact, *near = (functions[name]() for name in (names[2], *names[:2]))
            off = [float(jnp.linalg.norm(v - exact) / jnp.linalg.norm(exact)) for v in near]
            bound += (
                f" Along {names[0]} v is {off[0]:.1%} (RMS) off that over all pairs, along {names[1]} {off[1]:.1%}."
            )
            short.append([f"`sliced_mmd`, {names[0]}, n = m = {n:,}", told])
        growth = [f"{times[name].median / (n * math.log2(n)) * 1e9:.3g} ns" for name in names[:1]]
        rows.append([n, *(times.get(name, "") for name in names), *ratios, *growth])
    header = ["n = m", *names, *(f"all pairs over {name}" for name in names[:2]), f"{names[0]}: time / n log2 n"]
    write_table(
        "sliced",
        [*table(header, rows), "", bound, "", *profile(), "", "![Time of the sliced drift](images/sliced.png)"],
        short,
    )
    draw(curves)


def sorts(n_directions: int, n: int) -> Times:
    """Sorting what both clouds, of `n` points each, look like along so many directions."""
    rows = jax.random.normal(jax.random.key(0), (2 * n_directions, n))
    sort = jax.jit(lambda rows: reductions.over_points(slicing.in_order, rows, n))
    return median_times({"sorts": lambda: sort(rows)}, repeats=3)["sorts"]


def profile(n: int = 65536) -> list[str]:
    """What a number costs in the pieces of one direction: sorting, and finding its place among the sorted."""
    values = jax.random.normal(jax.random.key(0), (n,))
    ordered = jnp.sort(values)
    pieces = {
        "sorted as floats": (jnp.sort, (values,)),
        "sorted as whole numbers (used)": (slicing.in_order, (values,)),
        "its place found by bisection (4 times a direction)": (jnp.searchsorted, (ordered, values)),
    }
    functions = {name: functools.partial(jax.jit(function), *given) for name, (function, given) in pieces.items()}
    times = median_times(functions, repeats=5)
    return table(["a number, of 65536", "time"], [[name, f"{t.median / n * 1e9:.3g} ns"] for name, t in times.items()])


def draw(curves: dict[str, dict[int, float]]) -> None:
    """Times against n, and lines that grow like n log n and like n^2."""
    figure, axis = plt.subplots(figsize=(5, 3.6), layout="constrained")
    for name, curve in curves.items():
        axis.loglog(list(curve), list(curve.values()), "o-", label=name)
    first, *_, last = SIZES
    start = next(iter(curves.values()))[first]
    like = [start * n * math.log(n) / (first * math.log(first)) for n in (first, last)]
    axis.loglog((first, last), like, "k:", label="n log n")
    axis.set(xlabel="n = m", ylabel="seconds")
    axis.legend(frameon=False)
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    main()
