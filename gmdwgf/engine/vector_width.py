"""Configure XLA's vector width on CPUs, before JAX is initialised."""

import os
from pathlib import Path

FLAG = "--xla_cpu_prefer_vector_width"
"""Without this flag XLA uses vectors of 256 bits on every processor."""


def use_whole_vectors(
    environment: dict[str, str] | os._Environ = os.environ, cpuinfo: Path = Path("/proc/cpuinfo")
) -> None:
    """Let XLA use 512-bit vectors on processors that do not reduce their clock rate for them, unless the user set the flag.

    This speeds up exponentials most. It applies to processors with bfloat16 instructions (from 2020 on); earlier ones reduce their
    clock rate. Child processes inherit the environment variable, which has no effect on processors without such vectors.
    """
    flags = environment.get("XLA_FLAGS", "").strip()
    of_flags = not flags or flags.startswith("--")  # XLA_FLAGS can also be the name of a file
    if of_flags and FLAG not in flags and "avx512_bf16" in _features(cpuinfo):
        environment["XLA_FLAGS"] = f"{flags} {FLAG}=512".strip()


def _features(cpuinfo: Path) -> list[str]:
    """Feature flags of the first processor, as listed by Linux; empty on other systems."""
    try:
        with cpuinfo.open() as lines:
            return next((line.split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return []
