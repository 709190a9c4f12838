"""Sharding of arrays over devices: rows along the mesh axis `data`, everything else replicated.

Without a mesh these functions do nothing.
"""

from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from gmdwgf.pairs.reductions import DATA
from gmdwgf.typing import Particles


def shard_rows(x: Particles) -> Particles:
    """Shard the rows of `x` over the devices, if their number divides the rows."""
    mesh = jax.sharding.get_abstract_mesh()
    return x if x.shape[0] % mesh.shape.get(DATA, 1) else _placed(x, PartitionSpec(DATA))


def replicate(tree: Any) -> Any:
    """Replicate every array of a pytree over the devices."""
    return jax.tree.map(lambda leaf: _placed(leaf, PartitionSpec()), tree)


def _placed(array: Any, where: PartitionSpec) -> Any:
    mesh = jax.sharding.get_abstract_mesh()
    return jax.lax.with_sharding_constraint(array, where) if DATA in mesh.axis_names else array


def place_replicated(tree: Any) -> Any:
    """Replicate host arrays over the devices of the active mesh, outside of compiled programs."""
    mesh = jax.sharding.get_mesh()
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec())) if mesh.axis_names else jax.device_put(tree)
