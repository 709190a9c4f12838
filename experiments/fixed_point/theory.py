"""Where finite batches come to rest: N(0, s^2) trained on N(0, b) in one dimension, closed forms (ours).

With batches of n particles and n targets the expected objective is E F(batch). In the V-statistic of an MMD, or in transport
between samples, particles meet themselves, so that their repulsion counts for less than the attraction by independent
targets: the minimiser is narrower than the target.
"""

import numpy as np
from scipy.special import betaln
from scipy.stats import norm


def mmd_gaussian(n: int, h: float, b: float = 1.0) -> float:
    """Variance s^2 that minimises (1 - 1/n) E k(x, x') / 2 - E k(x, y) for k of bandwidth h; 0 where a point is better.

    E k(x, x') = h (h^2 + 2 s^2)^(-1/2) and E k(x, y) = h (h^2 + s^2 + b)^(-1/2), so at rest
    h^2 + 2 s^2 = c (h^2 + s^2 + b) with c = (1 - 1/n)^(2/3).
    """
    c = (1 - 1 / n) ** (2 / 3)
    return max((c * b - (1 - c) * h**2) / (2 - c), 0.0)


def mmd_energy(n: int, b: float = 1.0) -> float:
    """Variance that minimises E|x - y| - (1 - 1/n) E|x - x'| / 2: s / (s^2 + b)^(1/2) = (1 - 1/n) / 2^(1/2)."""
    r2 = (1 - 1 / n) ** 2 / 2
    return b * r2 / (1 - r2)


def wasserstein(n: int, b: float = 1.0) -> float:
    """Variance that minimises E W_2^2 between samples of n: (b^(1/2) mean_i mu_i^2)^2, mu_i the expected order statistics."""
    return b * float(np.mean(_order_statistics(n) ** 2)) ** 2


def _order_statistics(n: int) -> np.ndarray:
    """Means of the n standard normal numbers of a sample in order, by quadrature."""
    z, i = np.linspace(-10, 10, 4001), np.arange(1, n + 1)[:, None]
    log_density = (i - 1) * norm.logcdf(z) + (n - i) * norm.logsf(z) + norm.logpdf(z) - betaln(i, n - i + 1)
    return np.exp(log_density) @ z * (z[1] - z[0])
