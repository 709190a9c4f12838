"""Whether the samples of a run have left the data, which ends it as diverged (`gmdwgf.view`)."""

from collections.abc import Mapping

import numpy as np

from gmdwgf.mappings import Facts
from gmdwgf.training.problem import Problem
from gmdwgf.view import left_since


def departure(problem: Problem, samples: Mapping[int, np.ndarray], y: np.ndarray) -> Facts:
    """Step, term and value of the divergence of a run whose samples have left the data `y` `[m d]`; otherwise empty.

    `samples` are those of all evaluations, `[n d]` by step. Points of a curved manifold have no view that they could leave.
    """
    if problem.manifold.name != "euclidean":
        return {}
    steps = sorted(samples)
    since = left_since(steps, [samples[step] for step in steps], y)
    if since is None:
        return {}
    return {"diverged_step": since, "diverged_term": "samples", "diverged_value": "all outside of the data"}
