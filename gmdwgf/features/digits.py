"""Handwritten digits: encode images, decode latents, and compute features of a classifier."""

from typing import Any

import jax

from gmdwgf.config.fields import real
from gmdwgf.data import shipped
from gmdwgf.features.classifier import AbstractClassifier
from gmdwgf.features.networks import DigitClassifier, DigitDecoder, DigitEncoder, Params, apply
from gmdwgf.typing import Array, Float, Particles, Scalar

Pictures = Float[Array, "n 28 28 1"]
"""Grey values in 0..1, with bright digits on a dark background."""


ENCODER = "digits"
"""Name of the encoder in a latent file."""


def encode(weights: Params, pictures: Pictures) -> tuple[Particles, Particles]:
    """Means and log variances `[n 16]` of the latent posteriors; `weights` are those of the encoder."""
    mean, log_var = apply(DigitEncoder, weights, pictures)
    return mean, log_var


def digit_weights() -> dict[str, Params]:
    """Load the included weights of `decoder` and `classifier`."""
    return {
        "decoder": shipped.load_params(shipped.VAE)["decoder"],
        "classifier": shipped.load_params(shipped.CLASSIFIER),
    }


class DigitFeatures(AbstractClassifier):
    """Features of a digit classifier applied to decoded latents; points are latents times `scale`.

    The latents are those of a variational autoencoder with 16 coordinates, with mean 0 and mean square 1 over the training digits
    (including posterior noise). `maps` are layers of the classifier: `edges` [n 49 16] and `parts` [n 9 32], pooled outputs of its
    convolutions, and `digit` [n 64], its penultimate layer. All weights were trained on the same 4,000 training digits by
    `scripts/train_digit_encoder.py`.
    """

    scale: Scalar = real("data units of a latent's standard deviation", above=0)
    weights: Any = None
    """Weights of `decoder` and `classifier`; the included ones when None."""

    def __post_init__(self) -> None:
        if self.weights is None:
            self.weights = digit_weights()

    def decode(self, points: Particles) -> Pictures:
        """Decode points to images."""
        return jax.nn.sigmoid(apply(DigitDecoder, self.weights["decoder"], points / self.scale))

    def classify(self, pictures: Pictures) -> dict[str, Float[Array, "n ..."]]:
        """Compute all layers of the classifier for images, including `logits` [n 10]."""
        return apply(DigitClassifier, self.weights["classifier"], pictures)

    def maps(self, points: Particles) -> dict[str, Float[Array, "n ..."]]:
        layers = self.classify(self.decode(points))
        return {name: layers[name] for name in ("edges", "parts", "digit")}

    def answers(self, points: Particles) -> tuple[Float[Array, "n k"], Float[Array, "n c"]]:
        layers = self.classify(self.decode(points))
        return layers["digit"], layers["logits"]
