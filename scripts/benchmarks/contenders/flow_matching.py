"""Conditional flow matching along straight paths in PyTorch, sampled by Euler steps.

The formulas are those of `ConditionalFlowMatcher` of torchcfm (Tong et al. 2024, arXiv:2302.00482, eq. 14 and 15):
x_t = (1 - t) z + t y + sigma e with independent z, y, e, and the network is regressed on y - z. `SIGMA` is torchcfm's default.
torchcfm itself is not used here, since it brings a training framework and solvers along.
"""

from contenders import Sampler
from contenders.pytorch import batch, perceptron, pool, torch

BATCH_SIZE = 512
RATE = 3e-3
SIGMA = 0.0
N_EVALUATIONS = (1, 10, 100)


def location_and_flow(z, y, t, noise):
    """Points x_t on the way from noise `z` to targets `y`, and the velocity to regress on there."""
    return (1 - t) * z + t * y + SIGMA * noise, y - z


class FlowMatching:
    """A perceptron of three hidden layers of 256 with the time as an input, and Adam at a constant rate.

    One layer more than our generator, with which it is more accurate.
    """

    def __init__(self, target: str, seed: int, n_steps: int):
        del n_steps
        torch.manual_seed(seed)
        self.points, self.step = pool(target), 0
        self.network = perceptron(2 + 1, depth=3)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE)

    def velocity(self, x, t):
        return self.network(torch.cat([x, t], dim=1))

    def advance(self, to: int) -> None:
        while self.step < to:
            y, t = batch(self.points, BATCH_SIZE), torch.rand(BATCH_SIZE, 1)
            z = torch.randn_like(y)
            x, flow = location_and_flow(z, y, t, torch.randn_like(y) if SIGMA else 0.0)
            loss = torch.mean((self.velocity(x, t) - flow) ** 2)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.step += 1

    def sample(self, n: int, n_evaluations: int):
        """`n` points by `n_evaluations` Euler steps from noise at t = 0 to t = 1."""
        x = torch.randn(n, 2, generator=torch.Generator().manual_seed(2**20))
        with torch.no_grad():
            for k in range(n_evaluations):
                t = torch.full((n, 1), k / n_evaluations)
                x = x + self.velocity(x, t) / n_evaluations
        return x.numpy()

    def samplers(self) -> dict[str, Sampler]:
        return {f"{k} evaluation{'s' * (k > 1)}": lambda n, k=k: self.sample(n, k) for k in N_EVALUATIONS}
