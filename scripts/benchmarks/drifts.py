"""One evaluation of the drifts: time and memory, against one dense block, the floor of the machine, PyTorch and KeOps.

python scripts/benchmarks/drifts.py              # all tables of docs/benchmarks.md about drifts
python scripts/benchmarks/drifts.py --tiles      # print where dense blocks stop to pay, and the best size of tiles
"""

import argparse
import contextlib
import math
from collections.abc import Callable

import eager
import floor
import jax
import jax.numpy as jnp
import keops
from common import median_times, table, write_table

import gmdwgf
from gmdwgf.config.build import options
from gmdwgf.drifts import AbstractDrift, StatelessDrift
from gmdwgf.pairs import reductions

MB = 1e6


def clouds(n: int, d: int) -> tuple:
    """A normal cloud and a skewed one."""
    key_x, key_y = jax.random.split(jax.random.key(0))
    return jax.random.normal(key_x, (n, d)), jax.random.gamma(key_y, 2.0, (n, d)) / 2


def question(drift: AbstractDrift, x, y, dense: bool = False) -> tuple[Callable, float]:
    """A compiled evaluation to be timed, and the megabytes that it needs beside its inputs and outputs."""
    assert isinstance(drift, StatelessDrift)
    with reductions.tiles(1 << 62, 1 << 62) if dense else contextlib.nullcontext():
        ask = jax.jit(lambda drift, x, y: drift.velocity(x, y, jax.random.key(0)).v).lower(drift, x, y).compile()
    memory = ask.memory_analysis()
    return lambda: ask(drift, x, y), math.nan if memory is None else memory.temp_size_in_bytes / MB


def kl_against_the_floor() -> tuple[list[str], list[list]]:
    """`kl` at the sizes of the goals: the table, and in short."""
    rows, short = [], []
    for n, d in ((8192, 2), (4096, 1024)):
        x, y = clouds(n, d)
        drift = gmdwgf.load_drift("kl", bandwidth=0.3 * (d / 2) ** 0.5)
        (tiled, megabytes), (dense, dense_megabytes) = question(drift, x, y), question(drift, x, y, dense=True)
        times = median_times({"tiles": tiled, "dense": dense}, repeats=25 if d == 2 else 5)
        least = floor.measure().kl(n, n, d)
        # The floor is met at the machine's best, as its rates are: least time against least time.
        ratio = times["tiles"].seconds.min() / least
        memory = f"{megabytes:.3g} MB, dense {dense_megabytes:.3g} MB"
        over_floor = f"{ratio:.2f}x of {least:.3g} s"
        dense_over = times["dense"].over(times["tiles"])
        rows.append([n, d, times["tiles"], over_floor, dense_over, memory])
        told = f"{times['tiles']}; at its least {ratio:.2f}x the floor; one dense block {dense_over} as long"
        short.append([f"`kl`, n = m = {n:,}, d = {d:,}", told])
    return table(["n = m", "d", "time", "least time over the floor", "dense over tiles", "memory"], rows), short


def pieces_of_kl(n: int = 8192, d: int = 2) -> list[str]:
    """What a pair costs in each pass of `kl` over a tile, by itself."""
    y = clouds(n, d)[1]
    of_each_row = lambda tile, value: tile.at[:, : value.shape[1]].set(1e-3 * value)
    steps = {
        "squared distances": lambda tile: jax.vmap(lambda point: -reductions.squared_distances(point, y))(tile[:, :d]),
        "their largest": lambda tile: of_each_row(tile, jnp.max(tile, axis=1, keepdims=True)),
        "exponentials": lambda tile: jnp.exp(-tile),
        "barycentres": lambda tile: of_each_row(tile, tile @ y),
        "normalisers": lambda tile: of_each_row(tile, jnp.sum(tile, axis=1, keepdims=True)),
    }
    spent = floor.seconds_a_pair(steps, reductions.TILE_PAIRS // (2 * n), n)
    drift, x = gmdwgf.load_drift("kl", bandwidth=0.3), clouds(n, d)[0]
    whole = median_times({"whole": question(drift, x, y)[0]}, repeats=9)["whole"].seconds.min()
    spent |= {"all of them": sum(spent.values()), "`kl` as it runs": float(whole) / (2 * n * n)}
    spent["the floor"] = floor.measure().pair(d)
    rows = [[name, f"{seconds * 1e9:.3f} ns"] for name, seconds in spent.items()]
    return table([f"pass over a pair, n = m = {n}, d = {d}", "least time"], rows)


def memory_of_kl() -> list[str]:
    """How the memory of `kl` grows (compiled, not run)."""
    rows = []
    for n in (2048, 8192, 32768, 131072):
        x, y = clouds(n, 2)
        drift = gmdwgf.load_drift("kl")
        rows.append([n, f"{question(drift, x, y)[1]:.3g} MB", f"{n * n * 4 / MB:.3g} MB"])
    return table(["n = m (d = 2)", "memory of `kl`", "one n x m array"], rows)


def every_drift(n: int = 4096, d: int = 2) -> list[str]:
    """All stateless drifts that work in tiles, each against itself as one dense block."""
    x, y = clouds(n, d)
    rows = []
    for name in options("drift"):
        drift = gmdwgf.load_drift(name)
        if not isinstance(drift, StatelessDrift) or name in ("sinkhorn", "kale"):  # solvers have tables of their own
            continue
        (tiled, megabytes), (dense, dense_megabytes) = question(drift, x, y), question(drift, x, y, dense=True)
        times = median_times({"tiles": tiled, "dense": dense}, repeats=7)
        ratio = times["dense"].over(times["tiles"])
        rows.append([f"`{name}`", times["tiles"], ratio, f"{megabytes:.3g} MB", f"{dense_megabytes:.3g} MB"])
    return table([f"drift, n = m = {n}, d = {d}", "time", "dense over tiles", "memory", "dense"], rows)


def against_torch(d: int = 2) -> tuple[list[str], list[list]]:
    """`kl` and `deng` against the same formulas in PyTorch, eager and compiled, and in KeOps: the table, and in short.

    Up to `LARGEST_DENSE` points: PyTorch stores several arrays of all pairs.
    """
    if eager.torch is None:
        return ["PyTorch is not installed (`pip install gmdwgf[benchmark]`): not measured."], []
    ours = {"kl": gmdwgf.load_drift("kl", bandwidth=0.3), "deng": gmdwgf.load_drift("deng", temperature=0.3)}
    rows, short = [], []
    for n in (4096, 16384, 65536):
        x, y = clouds(n, d)
        for name in ours:
            functions = {"ours": question(ours[name], x, y)[0]} | theirs(name, x, y)
            off = max(abs(functions["ours"]() - ask()).max() / abs(ask()).max() for ask in functions.values())
            times = median_times(functions, repeats=9 if n < LARGEST_DENSE else 3)
            ratios = [times[other].over(times["ours"]) if other in times else "" for other in OTHERS]
            rows.append([f"`{name}`", f"{n:,}", times["ours"], *ratios, f"{off:.0e}"])
            print(" | ".join(map(str, rows[-1])), flush=True)
            known = [f"{other} {ratio}" for other, ratio in zip(OTHERS, ratios, strict=True) if ratio]
            short.append([f"`{name}` elsewhere, n = m = {n:,}, d = {d}", ", ".join(known) + " as long"])
    header = ["drift", "n = m", "time", *(f"{other} over ours" for other in OTHERS), "largest difference"]
    return table(header, rows), short


OTHERS = ("eager PyTorch", "torch.compile", "KeOps")
LARGEST_DENSE = 16384
LARGEST_IN_KEOPS = {"kl": 65536, "deng": 16384}
"""Points beyond which a call on a CPU takes many minutes."""


def theirs(name: str, x, y) -> dict[str, Callable]:
    """The other implementations that are installed and can hold these clouds."""
    written, found = getattr(eager, name), {}
    if x.shape[0] <= LARGEST_DENSE:
        found["eager PyTorch"] = eager.question(written, x, y, 0.3)
        found["torch.compile"] = eager.question(eager.torch.compile(written, dynamic=False), x, y, 0.3)
    if keops.has_keops and x.shape[0] <= LARGEST_IN_KEOPS[name]:
        found["KeOps"] = eager.question(getattr(keops, name), x, y, 0.3)
    return found


def sizes_of_tiles() -> list[str]:
    """Times of `kl` and `deng` for several sizes of tiles and as one block."""
    rows = []
    for n in (512, 1024, 2048, 4096):
        for name in ("kl", "deng"):
            x, y = clouds(n, 2)
            drift, functions = gmdwgf.load_drift(name), {}
            for power in (17, 18, 19, 20, 21):
                with reductions.tiles(0, 1 << power):
                    functions[f"2^{power}"] = question(drift, x, y)[0]
            functions["dense"] = question(drift, x, y, dense=True)[0]
            times = median_times(functions, repeats=9)
            rows.append([name, n, *(f"{spent.median * 1e3:.3g} ms" for spent in times.values())])
    return table(["drift", "n = m", "2^17 pairs a tile", "2^18", "2^19", "2^20", "2^21", "dense"], rows)


def main() -> None:
    """Measure and keep the tables, or print those of the tile sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", action="store_true")
    if parser.parse_args().tiles:
        print("\n".join(sizes_of_tiles()))
        return
    lines, short = kl_against_the_floor()
    write_table("kl", [*lines, "", *pieces_of_kl(), "", *memory_of_kl()], short)
    write_table("torch", *against_torch())
    write_table("drifts", every_drift(), [])


if __name__ == "__main__":
    main()
