"""Free particles that follow the drift, without a network."""

import jax

from gmdwgf.config.fields import real
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, unconditional
from gmdwgf.typing import Key, Particles, Scalar


class ParticlesGenerator(AbstractGenerator):
    """`n` free particles, initialised from N(0, init_scale^2 I); their positions are the parameters.

    With plain SGD at rate 1/2 a training step is the explicit Euler step x <- x + eta v, because the gradient of
    sum_i |x_i - sg(x_i + eta v_i)|^2 with respect to x_i is -2 eta v_i. The loss is a mean over the batch, so its gradient
    is multiplied by n (`loss_scale`).
    """

    draws_anew = False

    init_scale: Scalar = real("data units", above=0)

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        unconditional("particles", n_classes)
        return {"x": self.init_scale * jax.random.normal(key, (n, dim))}

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """Return the first `n` particles, or all of them if there are fewer; no new particles can be drawn."""
        del key, condition
        return params["x"][:n]

    def loss_scale(self, n: int) -> float:
        return float(n)
