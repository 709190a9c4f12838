"""Networks of generators and critics, in Flax NNX but used functionally: parameters are a plain pytree."""

from gmdwgf.networks.functional import Params as Params
from gmdwgf.networks.perceptron import (
    ACTIVATIONS as ACTIVATIONS,
    apply_perceptron as apply_perceptron,
    init_perceptron as init_perceptron,
)
