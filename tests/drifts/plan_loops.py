"""Slow, plain NumPy for the affinity family: matrices written out, one formula a function, no log domain."""

import numpy as np

from tests.drifts.reference import softmax


def distances(x, y):
    return np.array([[np.linalg.norm(p - q) for q in y] for p in x])


def two_softmaxes(logits):
    """Softmax over each row, and softmax over each column."""
    return np.array([softmax(row) for row in logits]), np.array([softmax(column) for column in logits.T]).T


def cross_weighted(attraction, repulsion, x, positives, negatives):
    """s- (A+ y - s+ x) - s+ (A- y- - s- x), row by row."""
    v = np.zeros_like(x)
    for i, point in enumerate(x):
        pull, push = attraction[i].sum(), repulsion[i].sum()
        for weight, target in zip(attraction[i], positives, strict=True):
            v[i] += push * weight * (target - point)
        for weight, other in zip(repulsion[i], negatives, strict=True):
            v[i] -= pull * weight * (other - point)
    return v


def released(x, positives, negatives, w_x, w_pos, w_neg, temperatures, **switches):
    """Z7 on groups `[g n d]`, as the released code computes it: the scaled drift V, the unit u and the loss of each group."""
    floor, least = switches.get("product_floor", 1e-6), switches.get("distance_floor", 1e-4)
    groups, n, d = x.shape
    k = negatives.shape[1]
    candidates = np.concatenate([x, negatives, positives], axis=1)
    weights = np.concatenate([w_x, w_neg, w_pos], axis=1)
    far = np.array([np.maximum(distances(x[g], candidates[g]), least) for g in range(groups)])
    scale = np.mean(far * weights[:, None, :]) / np.mean(weights)
    h, unit = max(scale, 1e-3), max(scale / np.sqrt(d), 1e-3)
    if not switches.get("scale_normalise", True):
        h = unit = 1.0
    far = far / h
    if switches.get("self_mask", True):
        far[:, np.arange(n), np.arange(n)] += 100.0
    total = np.zeros_like(x)
    for temperature in temperatures:
        v = np.zeros_like(x)
        for g in range(groups):
            rows, columns = two_softmaxes(-far[g] / temperature)
            affinity = np.sqrt(np.maximum(rows * columns, floor)) * weights[g]
            repulsion, attraction = affinity[:, : n + k], affinity[:, n + k :]
            v[g] = cross_weighted(attraction, repulsion, x[g], positives[g], candidates[g, : n + k]) / unit
        total += v / np.sqrt(max(np.mean(v**2), 1e-8)) if switches.get("rms_normalise", True) else v
    return total, unit, np.mean(total**2, axis=(1, 2))


def gibbs(x, y, epsilon):
    """exp(-|x - y|^2 / 2 epsilon)."""
    return np.exp(-(distances(x, y) ** 2) / (2 * epsilon))


def ruiz(kernel, n_iters):
    """Knight, Ruiz and Ucar: divide by the roots of row and column means at once, `n_iters` times."""
    scaled = kernel.copy()
    for _ in range(n_iters):
        scaled = scaled / np.sqrt(scaled.mean(1, keepdims=True) * scaled.mean(0, keepdims=True))
    return scaled


def sinkhorn_steps_map(x, y, kernel, n_iters):
    """Row update, `n_iters` times (column update, row update), in scaling form: T(x) and the plan."""
    right = np.ones(len(y))
    for _ in range(n_iters):
        left = 1 / (kernel @ right)
        right = 1 / (kernel.T @ left)
    rows = kernel * right
    plan = rows / rows.sum(1, keepdims=True) / len(x)
    return len(x) * plan @ y, plan


def sinkhorn_plan(kernel, n_iters=4000):
    """The plan between uniform masses."""
    n, m = kernel.shape
    right = np.ones(m)
    for _ in range(n_iters):
        left = 1 / (kernel @ right) / n
        right = 1 / (kernel.T @ left) / m
    return left[:, None] * kernel * right


def two_modes(share, apart, n=100, seed=0):
    """`n` points, the first `share` of them around the origin and the rest around (apart, 0), standard deviation .3."""
    points = np.random.default_rng(seed).normal(size=(n, 2)) * 0.3
    points[round(share * n) :, 0] += apart
    return points
