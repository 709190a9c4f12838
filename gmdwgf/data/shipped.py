"""Data included in the package: weights in `gmdwgf/data/*.npz`, with hashes and provenance in `digits.json`."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from gmdwgf.mappings import Facts

DATA = Path(__file__).resolve().parents[1] / "data"
VAE, CLASSIFIER, LATENTS = (DATA / f"digits_{name}.npz" for name in ("vae", "classifier", "latents"))
PROVENANCE = DATA / "digits.json"


def sha256(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.cache
def provenance() -> Facts:
    """Command and versions that produced the included files, their measured metrics, and their hashes by file name."""
    return json.loads(PROVENANCE.read_text())


def save_params(path: Path, params: dict) -> None:
    """Save nested parameters as float16 arrays named by their paths, which halves the size."""
    flat = traverse_util.flatten_dict(params, sep="/")
    arrays: dict[str, Any] = {name: np.asarray(array, np.float16) for name, array in flat.items()}
    np.savez_compressed(path, **arrays)


def load_params(path: Path) -> dict:
    """Load nested parameters in JAX's default float type."""
    with np.load(path) as file:
        flat = {name: jnp.asarray(file[name], jax.dtypes.canonicalize_dtype(float)) for name in file.files}
    return traverse_util.unflatten_dict(flat, sep="/")
