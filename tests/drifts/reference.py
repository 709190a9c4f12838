"""Slow, plain double loops in NumPy: what each formula says, without any cleverness."""

import numpy as np


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def mean_shift(point, cloud, bandwidth, skip=None):
    """sum_j softmax_j(-|point - c_j|^2 / 2h^2) c_j - point, leaving out index `skip`."""
    kept = [c for j, c in enumerate(cloud) if j != skip]
    weights = softmax(np.array([-np.sum((point - c) ** 2) / (2 * bandwidth**2) for c in kept]))
    return sum(w * c for w, c in zip(weights, kept, strict=True)) - point


def score_difference(x, y, bandwidth, leave_one_out=False):
    """Z1: mean shift to the targets minus mean shift to the particles."""
    return np.array(
        [
            mean_shift(p, y, bandwidth) - mean_shift(p, x, bandwidth, skip=i if leave_one_out else None)
            for i, p in enumerate(x)
        ]
    )


def deng(x, y, temperature, self_mask):
    """Z6 with the affinity matrices written out, as Algorithm 2 prints them."""
    n, m = len(x), len(y)
    logits = np.zeros((n, m + n))
    for i in range(n):
        for j in range(m):
            logits[i, j] = -np.linalg.norm(x[i] - y[j]) / temperature
        for k in range(n):
            masked = 1e6 if self_mask and i == k else 0.0
            logits[i, m + k] = -(np.linalg.norm(x[i] - x[k]) + masked) / temperature
    rows = np.array([softmax(row) for row in logits])
    columns = np.array([softmax(column) for column in logits.T]).T
    affinity = np.sqrt(rows * columns)
    attraction, repulsion = affinity[:, :m], affinity[:, m:]
    pull, push = attraction.sum(1, keepdims=True), repulsion.sum(1, keepdims=True)
    return push * (attraction @ y) - pull * (repulsion @ x)


def sinkhorn_map(x, y, epsilon, n_iters=4000):
    """Barycentric map of the converged entropic plan between uniform clouds, cost |x - y|^2 / 2."""
    cost = ((x[:, None] - y[None]) ** 2).sum(-1) / 2
    kernel = np.exp(-cost / epsilon)
    right = np.ones(len(y))
    for _ in range(n_iters):
        left = 1 / (kernel @ right) / len(x)
        right = 1 / (kernel.T @ left) / len(y)
    plan = left[:, None] * kernel * right[None]
    return (plan / plan.sum(1, keepdims=True)) @ y
