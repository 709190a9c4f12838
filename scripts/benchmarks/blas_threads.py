"""Time a QR decomposition inside XLA with one and with more OpenBLAS threads: `python -m scripts.benchmarks.blas_threads`."""

import os
import subprocess
import sys

CODE = """
import time, jax, jax.numpy as jnp
a = jax.random.normal(jax.random.key(0), (1, 784, 64))
qr = jax.jit(lambda a: jnp.linalg.qr(a)[0])
qr(a).block_until_ready()
times = []
for _ in range(5):
    start = time.perf_counter()
    qr(a).block_until_ready()
    times.append(time.perf_counter() - start)
print(min(times))
"""


def seconds(threads: int) -> float:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
    return float(
        subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True).stdout
    )


if __name__ == "__main__":
    one, more = seconds(1), seconds(os.cpu_count() or 2)
    print(
        f"one thread {1e3 * one:.2f} ms, {os.cpu_count()} threads {1e3 * more:.2f} ms: {more / one:.0f} times as long"
    )
