"""What one evaluation of a drift costs as the batch grows to a million points, and its memory.

python scripts/benchmarks/scale.py             # kl to 65,536 points, the sliced drifts to 1,048,576
python scripts/benchmarks/scale.py --sinkhorn  # the streamed Sinkhorn drift too: about 15 minutes more
"""

import argparse
import math
import time

import drifts
import jax
import matplotlib.pyplot as plt
from common import ROOT, table, write_table

import gmdwgf
from gmdwgf.drifts import AbstractDrift, StatelessDrift

PICTURE = ROOT / "docs" / "images" / "scale.png"
ALL_PAIRS = (4_096, 16_384, 65_536)
LARGE = (*ALL_PAIRS, 262_144, 1_048_576)
SEVERAL_ROUNDS = 1.0
"""Seconds below which an evaluation is repeated, and the fastest counts."""


def asked(with_sinkhorn: bool) -> dict[str, tuple[AbstractDrift, tuple[int, ...]]]:
    """The drifts, and the sizes at which each is measured."""
    chosen = {
        "kl": (gmdwgf.load_drift("kl"), ALL_PAIRS),
        "sliced_mmd": (gmdwgf.load_drift("sliced_mmd"), LARGE),
        "sliced_wasserstein": (gmdwgf.load_drift("sliced_wasserstein"), LARGE),
    }
    if with_sinkhorn:
        streamed = gmdwgf.load_drift("sinkhorn", solver="streamed", self_term="same_batch", epsilon=0.1)
        chosen["sinkhorn, streamed, epsilon 0.1"] = (streamed, ALL_PAIRS)
    return chosen


def measure(drift: AbstractDrift, n: int) -> tuple[float, float, dict[str, float]]:
    """Seconds and megabytes of one evaluation, without compilation, and what the drift says of it."""
    assert isinstance(drift, StatelessDrift)
    x, y = drifts.clouds(n, 2)
    ask = jax.jit(lambda drift, x, y: drift.velocity(x, y, jax.random.key(0))).lower(drift, x, y).compile()
    memory = ask.memory_analysis()
    fastest = math.inf
    for _ in range(5):
        began = time.perf_counter()
        output = jax.block_until_ready(ask(drift, x, y))
        fastest = min(fastest, time.perf_counter() - began)
        if fastest > SEVERAL_ROUNDS:
            break
    megabytes = math.nan if memory is None else memory.temp_size_in_bytes / drifts.MB
    return fastest, megabytes, {name: float(value) for name, value in output.info.items()}


def draw(curves: dict[str, dict[int, float]]) -> None:
    """Seconds against points, both logarithmic."""
    figure, axes = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
    for name, seconds in curves.items():
        axes.loglog(list(seconds), list(seconds.values()), "o-", label=name, markersize=3)
    axes.set_xlabel("points in each cloud, d = 2")
    axes.set_ylabel("seconds of one evaluation")
    axes.legend(fontsize=7)
    figure.savefig(PICTURE, dpi=150)


def main() -> None:
    """Measure, draw, keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinkhorn", action="store_true")
    rows, curves = [], {}
    for name, (drift, sizes) in asked(parser.parse_args().sinkhorn).items():
        for n in sizes:
            seconds, megabytes, info = measure(drift, n)
            curves.setdefault(name, {})[n] = seconds
            iterations = f"{info['n_iters']:.0f}" if "n_iters" in info else ""
            dense = f"{4 * n * n / drifts.MB:,.0f} MB"
            rows.append([f"`{name}`", f"{n:,}", f"{seconds:.3g} s", f"{megabytes:,.1f} MB", dense, iterations])
            print(rows[-1], flush=True)
    draw(curves)
    header = ["drift", "n = m, d = 2", "seconds", "memory", "one array of all pairs", "iterations"]
    write_table("scale", [*table(header, rows), "", "![Seconds against points](images/scale.png)"], [])


if __name__ == "__main__":
    main()
