"""Entropic transport between clouds.

Units. `epsilon` belongs to the cost as written, c = |x - y|^2 / 2 or c = |x - y|; the other conventions are in
`full_cost_epsilon`. The plan is

    pi_ij = a_i b_j exp((f_i + g_j - c_ij) / epsilon),

with the masses a, b outside the potentials, which are in cost units. It minimises <pi, c> + epsilon KL(pi | a b) with
its marginals held to a and b, or, with a `relaxation` rho, plus rho KL(pi 1 | a) + rho KL(pi^T 1 | b).

`costs` has the ground costs, `problem` the problem and what an answer says of itself, `solvers` the ways from one to the
other (`newton` on the `plans`, `solve_ott`, plain `iterations`), `maps` what is read off an answer. The solvers and
`self_potential` keep n x m arrays unless the solver is `streamed` (ott-jax's own streamed mode does not run on present
versions of jax); all else goes through in tiles.
"""

from gmdwgf.transport.costs import COSTS as COSTS, Cost as Cost, full_cost_epsilon as full_cost_epsilon
from gmdwgf.transport.iterations import self_potential as self_potential
from gmdwgf.transport.maps import (
    barycentric_map as barycentric_map,
    entropic_cost as entropic_cost,
    pull as pull,
    softmin as softmin,
)
from gmdwgf.transport.problem import SOLVERS as SOLVERS, Potentials as Potentials
from gmdwgf.transport.solvers import potentials as potentials
