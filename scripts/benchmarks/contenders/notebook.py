"""The training loop of the authors' notebook on drifting (Deng et al. 2026, arXiv:2602.04770) in PyTorch.

Written from the formulas of `drifting_model_demo.ipynb` on the project page (github.com/lambertae/lambertae.github.io, 061066e):
affinities k = exp(-|x - y| / tau) with tau .05 without self-pairs, each divided by the root of its row sum times its column sum,
2,048 particles and 2,048 targets, 2,000 steps of Adam at 1e-3, 32 numbers of noise, three hidden layers of 256 with SiLU. Its
targets fill the square [-1, 1]^2, so ours, which fill one twice as wide, are halved on the way in and samples doubled on the way out.
"""

from contenders import Sampler
from contenders.pytorch import batch, perceptron, pool, torch

BATCH_SIZE = 2_048
RATE = 1e-3
TEMPERATURE = 0.05
NOISE_DIM = 32
SCALE = 2.0
"""Half the width of our targets over that of the notebook's."""


def drift(x, y, temperature: float = TEMPERATURE):
    """Attraction of `x` to `y` and repulsion from `x`, with affinities normalised along both axes."""
    n = len(x)
    distances = torch.cdist(x, torch.cat([x, y]))
    distances[:, :n].fill_diagonal_(torch.inf)
    affinity = torch.exp(-distances / temperature)
    mass = affinity.sum(dim=1, keepdim=True) * affinity.sum(dim=0, keepdim=True)
    affinity = affinity / torch.clamp(mass, min=1e-12).sqrt()
    to_x, to_y = affinity[:, :n], affinity[:, n:]
    return (to_y * to_x.sum(dim=1, keepdim=True)) @ y - (to_x * to_y.sum(dim=1, keepdim=True)) @ x


class Notebook:
    """Its perceptron, drift, loss and optimiser."""

    def __init__(self, target: str, seed: int, n_steps: int):
        del n_steps
        torch.manual_seed(seed)
        self.points, self.step = pool(target) / SCALE, 0
        self.network = perceptron(NOISE_DIM, depth=3)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE)

    def advance(self, to: int) -> None:
        while self.step < to:
            y, x = batch(self.points, BATCH_SIZE), self.network(torch.randn(BATCH_SIZE, NOISE_DIM))
            with torch.no_grad():
                goal = x + drift(x, y)
            loss = torch.mean((x - goal) ** 2)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.step += 1

    def samplers(self) -> dict[str, Sampler]:
        def draw(n: int):
            z = torch.randn(n, NOISE_DIM, generator=torch.Generator().manual_seed(2**20))
            with torch.no_grad():
                return SCALE * self.network(z).numpy()

        return {"1 evaluation": draw}
