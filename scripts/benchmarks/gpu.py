"""The drifts, the Sinkhorn solvers and training steps on a GPU, against eager PyTorch and fused attention on the same one.

    python scripts/benchmarks/gpu.py      # where JAX sees a GPU; renews the section of docs/benchmarks.md

Set XLA_PYTHON_CLIENT_PREALLOCATE=false, so that PyTorch finds memory too.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import drifts
import eager
import jax
import jax.numpy as jnp
import numpy as np
import sinkhorn
import step
from common import Times, median_times, table, write_table

import gmdwgf

SIZES = ((4096, 2), (16384, 2), (4096, 1024))
FIELDS = {"kl": "bandwidth", "deng": "temperature"}
"""Drifts with a version in PyTorch, and the field that is set there too."""


Implementation = Literal["xla", "cudnn"]
ATTENTIONS: tuple[tuple[Implementation, Any], ...] = (
    ("xla", jnp.float32),
    ("cudnn", jnp.float16),
    ("cudnn", jnp.bfloat16),
)


def largest_error(got, truth) -> float:
    """The largest error of a velocity over the median length."""
    lengths = lambda v: np.linalg.norm(np.asarray(v, np.float64), axis=1)
    return float(np.max(lengths(np.asarray(got) - truth)) / np.median(lengths(truth)))


def in_double_precision(name: str, x, y, **fields) -> np.ndarray:
    """The velocity by the same code in float64."""
    with jax.enable_x64(True):
        x, y = (jnp.asarray(np.asarray(cloud, np.float64)) for cloud in (x, y))
        return np.asarray(drifts.question(gmdwgf.load_drift(name, **fields), x, y)[0]())


def evaluations(sizes=SIZES, repeats: int = 9) -> list[str]:
    """`kl` and `deng` as they are and in eager PyTorch, and in the plane others by themselves."""
    rows = []
    for n, d in sizes:
        x, y = drifts.clouds(n, d)
        for name in [*FIELDS, *(("mmd", "sinkhorn_proxy", "sinkhorn_steps") if d == 2 else ())]:
            scale = 0.3 * (d / 2) ** 0.5
            fields = {FIELDS[name]: scale} if name in FIELDS else {}
            ours, megabytes = drifts.question(gmdwgf.load_drift(name, **fields), x, y)
            theirs = eager.velocity(name, x, y, scale) if fields else None
            times = median_times({"ours": ours} | ({"PyTorch": theirs} if theirs else {}), repeats, warm_up=2)
            ratio = times["PyTorch"].over(times["ours"]) if theirs else ""
            error = f"{largest_error(ours(), in_double_precision(name, x, y, **fields)):.0e}" if n * d < 1e4 else ""
            rows.append([f"`{name}`", n, d, times["ours"], f"{megabytes:.3g} MB", error, ratio])
    return table(["drift", "n = m", "d", "time", "memory", "error", "eager PyTorch over ours"], rows)


def attention(x, y, bandwidth: float, implementation: Implementation, dtype) -> Callable:
    """`kl` as two calls of attention: queries x / h, keys y / h, the bias -|y|^2 / 2h^2 as one coordinate more."""
    pad = -(x.shape[1] + 1) % 8  # cuDNN wants a multiple of 8

    def barycentre(x, y):
        widened = lambda cloud, last: jnp.pad(jnp.concatenate([cloud, last], axis=1), ((0, 0), (0, pad)))
        query = widened(x / bandwidth, jnp.ones((len(x), 1)))
        key = widened(y / bandwidth, -jnp.sum(y**2, axis=1, keepdims=True) / (2 * bandwidth**2))
        value = widened(y, jnp.ones((len(y), 1)))
        query, key, value = (rows.astype(dtype)[None, :, None, :] for rows in (query, key, value))
        mean = jax.nn.dot_product_attention(query, key, value, scale=1.0, implementation=implementation)
        return mean[0, :, 0, : x.shape[1]].astype(x.dtype)

    return functools.partial(jax.jit(lambda x, y: barycentre(x, y) - barycentre(x, x)), x, y)


def against_attention(n: int = 4096, repeats: int = 9) -> list[str]:
    """`kl` in the plane as fused attention: how fast, and how far off."""
    x, y = drifts.clouds(n, 2)
    x, y = x - jnp.mean(y, axis=0), y - jnp.mean(y, axis=0)
    functions = {"`kl` as it is": drifts.question(gmdwgf.load_drift("kl", bandwidth=0.3), x, y)[0]}
    for implementation, dtype in ATTENTIONS:
        ask = attention(x, y, 0.3, implementation, dtype)
        try:
            ask()
        except Exception as refused:  # what a platform cannot do is a row of the table
            print(implementation, dtype.__name__, str(refused).partition("\n")[0])
            continue
        functions[f"attention, {implementation}, {dtype.__name__}"] = ask
    truth = in_double_precision("kl", x, y, bandwidth=0.3)
    times = median_times(functions, repeats, warm_up=2)
    rows = [[name, times[name], f"{largest_error(ask(), truth):.0e}"] for name, ask in functions.items()]
    return table([f"`kl`, n = m = {n}, d = 2", "time", "error"], rows)


def solvers(n: int = 1024, stages: dict[str, int] | None = None, repeats: int = 3) -> list[str]:
    """Sinkhorn solvers late in a short training, and whole steps with them."""
    state = sinkhorn.trained(n, stages or {"late": 500})["late"]
    rows = []
    for epsilon in (0.1, 0.01):
        rows += sinkhorn.compare("", epsilon, sinkhorn.batch(n, state, seed=1), repeats, slow=False)[0]
    lines = table(["epsilon", "solver", "time", "over newton", "iterations", "velocity error"], [r[1:] for r in rows])
    header = [f"{sinkhorn.CHUNK} training steps, n = {n}, epsilon 0.1", "time", "over `kl`"]
    return [*lines, "", *table(header, sinkhorn.steps(n, state, repeats))]


def training_step(repeats: int = 9) -> tuple[list[str], list[list]]:
    """The step of the benchmark of that name: the table, and in short."""
    config, problem, state = step.setting([])
    theirs = step.in_torch(config)
    functions = {"a training step": step.whole(problem, state)}
    if theirs is not None:
        functions["eager PyTorch"] = lambda: [theirs() for _ in range(step.N)]
    times = median_times(functions, repeats)
    times = {name: Times(spent.seconds / step.N) for name, spent in times.items()}
    rows = [[name, spent, spent.over(times["a training step"])] for name, spent in times.items()]
    short = [["the same training step on a GPU", str(times["a training step"])]]
    if theirs is not None:
        short.append(["and in eager PyTorch there", f"{rows[1][2]} as long"])
    return table(["`" + " ".join(step.SETTING) + "`", "time", "over ours"], rows), short


def main() -> None:
    """Measure everything and write."""
    if jax.default_backend() == "cpu":
        raise SystemExit("JAX sees no GPU: nothing to measure (pip install 'gmdwgf[cuda]').")
    of_step, short = training_step()
    parts = [evaluations(), against_attention(), of_step, solvers()]
    write_table("gpu", [line for part in parts for line in [*part, ""]][:-1], short)


if __name__ == "__main__":
    main()
