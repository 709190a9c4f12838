"""The device mesh of a run, with one axis `data` along which particles are sharded.

Parameters, targets and all other state are replicated; results depend on the mesh only by rounding. With one device there is no
mesh.
"""

import contextlib

import jax
from jax.sharding import AxisType, Mesh

from gmdwgf.config.fields import FieldError
from gmdwgf.mappings import Facts
from gmdwgf.pairs.reductions import DATA


def make_mesh(n: int | None) -> Mesh | None:
    """Make a mesh of `n` devices, by default of all; returns None for a single device. Raises FieldError if there are fewer."""
    devices = jax.devices()
    n = len(devices) if n is None else n
    if n > len(devices):
        kind = devices[0].platform
        hint = f"; set JAX_NUM_CPU_DEVICES={n} to split a CPU into {n} devices" if kind == "cpu" else ""
        raise FieldError("n", n, f"there are only {len(devices)} ({kind}){hint}")
    if jax.process_count() > 1 and n != len(devices):
        raise FieldError("n", n, f"several processes use all their {len(devices)} devices; leave it null")
    return None if n == 1 else jax.make_mesh((n,), (DATA,), axis_types=(AxisType.Auto,), devices=devices[:n])


def facts(mesh: Mesh | None) -> Facts:
    """Platform and kind of the devices, how many of them a run uses, and in how many processes."""
    device = jax.devices()[0]
    n = 1 if mesh is None else mesh.size
    return {"platform": device.platform, "kind": device.device_kind, "n": n, "processes": jax.process_count()}


def active(mesh: Mesh | None) -> contextlib.AbstractContextManager:
    """Context in which compiled functions run on the mesh."""
    return contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh)


def check_divides(mesh: Mesh | None, name: str, size: int) -> None:
    """Raise FieldError unless the number of devices of the mesh divides `size`."""
    if mesh is None or size % mesh.size == 0:
        return
    below, above = size // mesh.size * mesh.size, -(-size // mesh.size) * mesh.size
    nearest = f"{below} or {above}" if below else str(above)
    raise FieldError(name, size, f"must be a multiple of the {mesh.size} devices; the nearest: {nearest}")
