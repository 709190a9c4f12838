"""Which devices a run is spread over: one mesh with an axis `data`, along which particles are shared out.

Parameters, targets and all other state are whole on every device; a run's numbers do not depend on the mesh but for rounding.
With one device there is no mesh at all.
"""

import contextlib
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from gmdwgf.config.fields import FieldError
from gmdwgf.pairs.reductions import DATA


def make_mesh(n: int | None) -> Mesh | None:
    """A mesh of `n` devices, all there are when None; None for a single one. Raises FieldError when there are fewer."""
    devices = jax.devices()
    n = len(devices) if n is None else n
    if n > len(devices):
        kind = devices[0].platform
        hint = f"; JAX_NUM_CPU_DEVICES={n} makes a CPU look like {n} devices" if kind == "cpu" else ""
        raise FieldError("n", n, f"there are only {len(devices)} ({kind}){hint}")
    if jax.process_count() > 1 and n != len(devices):
        raise FieldError("n", n, f"several processes use all their {len(devices)} devices; leave it null")
    return None if n == 1 else jax.make_mesh((n,), (DATA,), axis_types=(AxisType.Auto,), devices=devices[:n])


def active(mesh: Mesh | None) -> Any:
    """Context in which everything that is compiled is spread over the mesh."""
    return contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh)


def check_divides(mesh: Mesh | None, name: str, size: int) -> None:
    """Raise FieldError unless the devices of the mesh can share `size` rows equally."""
    if mesh is None or size % mesh.size == 0:
        return
    below, above = size // mesh.size * mesh.size, -(-size // mesh.size) * mesh.size
    nearest = f"{below} or {above}" if below else str(above)
    raise FieldError(name, size, f"{mesh.size} devices cannot share it equally; the nearest that they can: {nearest}")
