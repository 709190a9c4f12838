"""Entropic optimal transport between clouds.

Units: `epsilon` refers to the costs c = |x - y|^2 / 2 and c = |x - y|; for other conventions see `full_cost_epsilon`. The plan is

    pi_ij = a_i b_j exp((f_i + g_j - c_ij) / epsilon),

with masses a, b and potentials f, g in cost units. It minimises <pi, c> + epsilon KL(pi | a b) subject to the marginals a and b, or,
with a `relaxation` rho, <pi, c> + epsilon KL(pi | a b) + rho KL(pi 1 | a) + rho KL(pi^T 1 | b).

`costs` defines the ground costs (a manifold in place of a name is half its squared geodesic distance), `problem` the problem and its
solution, `solvers` the solvers (`newton` on the `plans`, `solve_ott`, Sinkhorn `iterations`), and `maps` quantities computed from
a solution. Solvers and `self_potential` store n x m arrays unless the solver is `streamed` (that of ott-jax does not support
current versions of JAX); everything else runs in tiles.
"""

from gmdwgf.transport.costs import (
    COSTS as COSTS,
    Cost as Cost,
    GroundCost as GroundCost,
    cut_pairs as cut_pairs,
    full_cost_epsilon as full_cost_epsilon,
)
from gmdwgf.transport.iterations import self_potential as self_potential
from gmdwgf.transport.maps import (
    barycentric_map as barycentric_map,
    entropic_cost as entropic_cost,
    pull as pull,
    softmin as softmin,
)
from gmdwgf.transport.problem import SOLVERS as SOLVERS, Potentials as Potentials
from gmdwgf.transport.solvers import potentials as potentials
