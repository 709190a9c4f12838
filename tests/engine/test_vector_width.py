"""XLA is told of wide vectors where the processor has them, and not of what the user has settled."""

import os
import subprocess
import sys

import pytest

from gmdwgf.engine.vector_width import FLAG, use_whole_vectors


@pytest.fixture
def processor(tmp_path):
    """Writes what Linux says of a processor that can do some things."""

    def with_features(*features: str):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nmodel name\t: one\nflags\t\t: fpu {' '.join(features)}\n\nprocessor\t: 1\n")
        return path

    return with_features


def test_a_processor_with_fast_wide_vectors_uses_them(processor):
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    use_whole_vectors(environment, processor("avx2", "avx512f", "avx512_bf16"))
    assert environment["XLA_FLAGS"] == "--xla_force_host_platform_device_count=8 --xla_cpu_prefer_vector_width=512"


def test_one_that_slows_down_for_them_does_not(processor):
    environment = {}
    use_whole_vectors(environment, processor("avx2", "avx512f"))
    assert environment == {}


def test_what_the_user_has_set_stays(processor):
    environment = {"XLA_FLAGS": "--xla_cpu_prefer_vector_width=256"}
    use_whole_vectors(environment, processor("avx512_bf16"))
    assert environment == {"XLA_FLAGS": "--xla_cpu_prefer_vector_width=256"}


def test_a_file_of_flags_is_left_alone(processor):
    environment = {"XLA_FLAGS": "flags.txt"}
    use_whole_vectors(environment, processor("avx512_bf16"))
    assert environment == {"XLA_FLAGS": "flags.txt"}


@pytest.mark.thorough
def test_xla_knows_the_flag():
    # It ends the process for one that it does not know.
    told = os.environ | {"XLA_FLAGS": f"{FLAG}=512", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", "import jax; jax.devices()"], env=told, check=True)


def test_a_system_without_that_list_goes_on(tmp_path):
    environment = {}
    use_whole_vectors(environment, tmp_path / "cpuinfo")
    assert environment == {}
