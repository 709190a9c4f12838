"""Gates for statistical claims: how many standard errors off."""

import jax
import numpy as np
from scipy import stats

N = 20_000
"""Samples behind a statistical claim."""

Z_MAX = 4.5
"""Standard errors beyond which a mean is called wrong."""

CHANCE = 1e-5
"""Probability below which counts are called wrong."""


_sample = jax.jit(lambda target, key: target.sample(key, N))


def drawn(target, seed=0) -> np.ndarray:
    """`N` samples of a target."""
    return np.asarray(_sample(target, jax.random.key(seed)), np.float64)


def standard_errors(values, expected) -> float:
    """Distance of the means of the columns of `values` `[n ...]` from `expected`, the worst of them."""
    values = np.asarray(values, np.float64)
    error = np.maximum(values.std(axis=0, ddof=1), 1e-12) / np.sqrt(len(values))
    return float(np.max(np.abs(values.mean(axis=0) - expected) / error))


def chi_square_p(counts, probabilities) -> float:
    """How probable counts this far from `probabilities` are; cells that expect less than 5 are taken together."""
    counts, expected = np.ravel(counts), np.ravel(probabilities) * np.sum(counts)
    full = expected >= 5
    observed = np.append(counts[full], counts[~full].sum())
    expected = np.append(expected[full], max(expected[~full].sum(), 1.0))
    return float(stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), df=full.sum() - full.all()))
