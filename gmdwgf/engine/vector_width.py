"""How wide the vectors are that XLA computes with on this machine's processor, settled before JAX starts."""

import os
from pathlib import Path

FLAG = "--xla_cpu_prefer_vector_width"
"""XLA's own choice is 256 bits, whatever the processor has."""


def use_whole_vectors(
    environment: dict[str, str] | os._Environ = os.environ, cpuinfo: Path = Path("/proc/cpuinfo")
) -> None:
    """Let XLA use all 512 bits of a processor that does not slow down for them; what the user has set stays.

    Exponentials gain most. Processors that know bfloat16 (from 2020 on) are taken; earlier ones lower their clock for such
    vectors. Workers and hosts that inherit the environment inherit the choice, which costs one without such vectors nothing.
    """
    flags = environment.get("XLA_FLAGS", "").strip()
    of_flags = not flags or flags.startswith("--")  # it may name a file of them instead
    if of_flags and FLAG not in flags and "avx512_bf16" in _features(cpuinfo):
        environment["XLA_FLAGS"] = f"{flags} {FLAG}=512".strip()


def _features(cpuinfo: Path) -> list[str]:
    """What the first processor can do, as Linux lists it; nothing elsewhere."""
    try:
        with cpuinfo.open() as lines:
            return next((line.split() for line in lines if line.startswith("flags")), [])
    except OSError:
        return []
