"""How wide the vectors are that XLA computes with on this machine's processor, settled before JAX starts."""

import os
from pathlib import Path

FLAG = "--xla_cpu_prefer_vector_width"
"""XLA's own choice is 256 bits, whatever the processor has."""


def use_whole_vectors(
    environment: dict[str, str] | os._Environ = os.environ, cpuinfo: Path = Path("/proc/cpuinfo")
) -> None:
    """Let XLA use all 512 bits of a processor that does not slow down for them; what the user has set stays.

    Exponentials of an evaluation of a drift gain most (`scripts/benchmarks/drifts.py`: a fifth of `kl`). Processors that know
    bfloat16 (from 2020 on) are taken; earlier ones lower their clock for such vectors.
    """
    flags = environment.get("XLA_FLAGS", "")
    if FLAG not in flags and "avx512_bf16" in _features(cpuinfo):
        environment["XLA_FLAGS"] = f"{flags} {FLAG}=512".strip()


def _features(cpuinfo: Path) -> list[str]:
    """What the first processor can do, as Linux lists it; nothing elsewhere."""
    try:
        with cpuinfo.open() as lines:
            return next((line.split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return []
