"""Where arrays lie when several devices share a run: rows shared out along the mesh axis `data`, everything else replicated.

Without a mesh these functions change nothing.
"""

from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from gmdwgf.pairs.reductions import DATA
from gmdwgf.typing import Particles


def shard_rows(x: Particles) -> Particles:
    """Let the devices share the rows of `x`, where they can equally."""
    mesh = jax.sharding.get_abstract_mesh()
    return x if x.shape[0] % mesh.shape.get(DATA, 1) else _placed(x, PartitionSpec(DATA))


def replicate(tree: Any) -> Any:
    """Keep every array of a pytree whole on every device."""
    return jax.tree.map(lambda leaf: _placed(leaf, PartitionSpec()), tree)


def _placed(array: Any, where: PartitionSpec) -> Any:
    mesh = jax.sharding.get_abstract_mesh()
    return jax.lax.with_sharding_constraint(array, where) if DATA in mesh.axis_names else array


def place_replicated(tree: Any) -> Any:
    """Outside of compiled programs: host arrays placed whole on every device of the active mesh."""
    mesh = jax.sharding.get_mesh()
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec())) if mesh.axis_names else jax.device_put(tree)
