"""The formulas of `kl` and `deng` and a training step in PyTorch, as one writes them there (the extra `benchmark`)."""

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np

# Its threads would otherwise spin for a while after each call, on the cores that whatever is timed next needs.
os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
DEVICE = "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def kl(x, y, bandwidth: float):
    """Mean shift towards y minus mean shift towards x."""
    mean = lambda cloud: torch.softmax(torch.cdist(x, cloud) ** 2 / (-2 * bandwidth**2), dim=1) @ cloud
    return mean(y) - mean(x)


def deng(x, y, temperature: float):
    """Algorithm 2 of Deng et al. 2026, self-pairs masked by a distance of 1e6."""
    n = x.shape[0]
    distances = torch.cdist(x, torch.cat([x, y]))
    distances[:, :n] += 1e6 * torch.eye(n, device=DEVICE)
    logits = -distances / temperature
    affinity = torch.sqrt(torch.softmax(logits, dim=1) * torch.softmax(logits, dim=0))
    to_x, to_y = affinity[:, :n], affinity[:, n:]
    return to_x.sum(1, keepdim=True) * (to_y @ y) - to_y.sum(1, keepdim=True) * (to_x @ x)


def velocity(name: str, x, y, number: float) -> Callable[[], np.ndarray] | None:
    """The drift `name` of two clouds (NumPy), to be timed; None where there is no PyTorch."""
    return None if torch is None else question({"kl": kl, "deng": deng}[name], x, y, number)


def question(function: Callable, x, y, number: float) -> Callable[[], np.ndarray]:
    """An evaluation of a function of two clouds (NumPy) without gradients, to be timed."""
    x, y = (torch.tensor(np.asarray(cloud), device=DEVICE) for cloud in (x, y))

    def ask():
        with torch.no_grad():
            return function(x, y, number).cpu().numpy()

    return ask


def training_step(n: int, noise_dim: int, width: int, depth: int, bandwidth: float) -> Callable[[], float] | None:
    """A step of drifting training with `kl`: noise, network, drift, regression, clipping, Adam, moving average."""
    if torch is None:
        return None
    sizes, layers = [noise_dim, *[width] * depth], []
    for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.SiLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(width, 2)).to(DEVICE)
    average = [p.detach().clone() for p in network.parameters()]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step():
        x, y = network(torch.randn(n, noise_dim, device=DEVICE)), torch.randn(n, 2, device=DEVICE)
        with torch.no_grad():
            goal = x + kl(x, y, bandwidth)
        loss = ((x - goal) ** 2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for mean, p in zip(average, network.parameters(), strict=True):
                mean.lerp_(p, 0.001)
        return loss.item()

    return step
