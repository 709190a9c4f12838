"""Drifts that attract to all points of a data set at once, through landmarks."""

import jax

from gmdwgf.drifts.base import AbstractDrift, Tags
from gmdwgf.drifts.landmarks import Moments


class NystromDrift(AbstractDrift):
    """The velocity of `drift` with the attraction of a whole data set, known through its `moments`; the repulsion is unchanged.

    The targets `y` of a step are not used, except for their number, which is that of the affinities of `deng`. `moments` has an
    element for each of `drift.target_kernels()`, computed with the kernels as they are now: these must not change afterwards.

    Source: Falahati et al. 2026 (DriftXpress, arXiv:2605.12183).
    """

    drift: AbstractDrift
    moments: tuple[Moments, ...]

    def init(self, key, x, y):
        return self.drift.init(key, x, y)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None, **references):
        if y_weights is not None:
            raise NotImplementedError("the attraction to a whole data set takes no weights of a batch of targets")
        further = references | {"moments": jax.tree.map(lambda array: array.astype(x.dtype), self.moments)}
        return self.drift.update(state, x, y, key, at=at, x_weights=x_weights, **further)

    def n_references(self, n: int, m: int) -> int:
        return self.drift.n_references(n, m)

    def n_stored(self, n: int, m: int) -> int:
        return self.drift.n_stored(n, m)

    def tags(self) -> Tags:
        """As the drift, but the data stay where they are, and identical clouds have other attraction and repulsion."""
        return self.drift.tags()._replace(zero_at_equality=False, flow_of=None, translation=False, rotation=False)
