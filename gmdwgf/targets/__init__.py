"""What we sample from: a target is a module that draws points inside `jit`."""

from gmdwgf.targets.base import AbstractTarget as AbstractTarget
