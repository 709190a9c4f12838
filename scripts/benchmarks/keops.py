"""`kl` and `deng` with KeOps: kernel sums whose pairs are never stored, compiled by it in C++ (the extra `benchmark`)."""

import importlib
import importlib.util
from typing import Any

import eager

torch: Any = eager.torch
has_keops = torch is not None and importlib.util.find_spec("pykeops") is not None
Lazy: Any = importlib.import_module("pykeops.torch").LazyTensor if has_keops else None


def kl(x, y, bandwidth: float):
    """Mean shift towards y minus mean shift towards x."""

    def mean(cloud):
        logits = (Lazy(x[:, None]) - Lazy(cloud[None])).square().sum(-1) / (-2 * bandwidth**2)
        return logits.sumsoftmaxweight(Lazy(cloud[None]), axis=1)

    return mean(y) - mean(x)


def deng(x, y, temperature: float):
    """Algorithm 2 of Deng et al. 2026: sums over all pairs, from which those of a particle with itself are subtracted."""
    kernel = lambda cloud: (-(Lazy(x[:, None]) - Lazy(cloud[None])).norm2() / temperature).exp()
    ones = torch.ones_like(x[:, :1])
    rows = kernel(y).sum(1) + kernel(x).sum(1) - 1
    towards = lambda cloud, weights: kernel(cloud) @ torch.cat([weights, weights * cloud], 1)
    of_y, of_x = kernel(y).sum(0).rsqrt(), (kernel(x).sum(0) - ones).rsqrt()
    to_y = towards(y, of_y) / rows.sqrt()
    to_x = (towards(x, of_x) - torch.cat([of_x, of_x * x], 1)) / rows.sqrt()
    return to_x[:, :1] * to_y[:, 1:] - to_y[:, :1] * to_x[:, 1:]
