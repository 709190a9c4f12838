"""Networks, shared by generators and critics. Flax NNX, used functionally: parameters are a plain pytree."""

from gmdwgf.networks.functional import Params as Params
from gmdwgf.networks.perceptron import (
    ACTIVATIONS as ACTIVATIONS,
    apply_perceptron as apply_perceptron,
    init_perceptron as init_perceptron,
)
