"""Overrides that make no sense, of every key of every config, by the kind of nonsense; and a process that tries some of them.

`python -m tests.nonsense N SEED` runs N of them as the command line does, in one process and without the type checks of the
tests (which a user does not have), and prints a JSON list of what came of each.
"""

import contextlib
import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

MAY_BE_ZERO = {
    *(
        "noise",
        "radial_noise",
        "inner",
        "fraction",
        "depth",
        "n_halvings",
        "n_registers",
        "n_styles",
        "n_iters",
        "seed",
    ),
    *("product_floor", "distance_floor", "warmup_fraction", "final_fraction", "weight_decay", "b1", "b2", "momentum"),
    *("ema_decay", "scale_decay", "unguided_fraction", "gradient_penalty", "split_seed", "line_every"),
}
MAY_BE_NEGATIVE = {"twist", "guidance_power", "mean", "covariance", "weights"}
MAY_BE_LARGE = {
    *(
        "clip_norm",
        "learning_rate",
        "eta",
        "eps",
        "weight_decay",
        "final_fraction",
        "regularisation",
        "threshold",
        "epsilon",
    ),
    *(
        "guidance_max",
        "guidance_power",
        "evaluate_at",
        "ratio_clip",
        "gradient_penalty",
        "weights",
        "product_floor",
        "twist",
    ),
    *("radial_noise", "temperatures", "max_resident", "covariance"),
}
"""Numbers that are not squared lengths: with a huge one a run diverges, which is a result."""
ANY_WORD = {"project", "entity", "group", "tags", "root", "coordinator"}
HAS_DEFAULT = {
    f"devices.{name}"
    for name in ("n", "distributed", "coordinator", "n_processes", "process", "timeout", "save_signals")
} | {"condition", "features"}
"""Keys with a default in their class, and sections that a run may do without."""

BASES = [
    ["drift=kl"],
    *(["drift=kl", "dataset=image_latents", f"generator={name}"] for name in ("conv", "dit_tiny")),
    *(["drift=kl", f"generator={name}"] for name in ("particles",)),
    *(["drift=kl", f"optimizer={name}"] for name in ("sgd", "adamw")),
    ["drift=kl", "condition=classes", "condition.n_groups=8"],
    ["drift=kl", "dataset=image_latents", "features=digits"],
]


class Case(NamedTuple):
    """A command, the key at fault and what is wrong with it."""

    arguments: list[str]
    key: str
    kind: str


class Answer(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def bases() -> list[list[str]]:
    """Configs that between them have every key."""
    from gmdwgf.config.build import options

    drifts = [[f"drift={name}"] for name in options("drift") if name != "kl"]
    targets = [name for name in options("dataset") if name not in ("array", "eight_gaussians", "image_latents")]
    return BASES + drifts + [["drift=kl", f"dataset={name}"] for name in targets]


def all_cases() -> list[Case]:
    """Every key of every base with every kind of nonsense, each once."""
    found: dict[tuple, Case] = {}
    for base in bases():
        config = _composed(base)
        for key, value in _nodes(config, ""):
            group = key.split(".")[0]
            owner = str(config[group].get("_target_")) if isinstance(config[group], dict) else ""
            for kind, override in _nonsense(key, value):
                found.setdefault((owner, key, kind), Case([*base, override], key, kind))
    return list(found.values())


def _composed(base: list[str]) -> dict[str, Any]:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from gmdwgf.config.build import config_dir

    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("train", overrides=base), resolve=True)  # type: ignore[return-value]


def _nodes(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if key:
        yield key, node
    for name, value in node.items() if isinstance(node, dict) else ():
        yield from _nodes(value, f"{key}.{name}" if key else name)


def _nonsense(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Kinds of nonsense for a key that has this default, and the overrides."""
    name = key.rpartition(".")[2]
    if key == "sweep.name" or key == "sweep.dry":  # the one is a matter of its own, the other is what the fuzz sets
        return
    if name not in ("unbalanced", "_target_") and key not in HAS_DEFAULT:
        yield "deleted", f"~{key}"
    if name == "_target_":
        yield from (("word", f"{key}=wide"), ("number", f"{key}=5"), ("null", f"{key}=null"), ("list", f"{key}=[a]"))
        yield "class of another kind", f"{key}=gmdwgf.optim.schedules.Constant"
        return
    for kind, text in _values(name, key, value):
        yield kind, f"{key}={text}"
    if isinstance(value, dict):
        yield "unknown key", f"+{key}.zzz=1"
        yield "misspelt key", f"{key}.{next(name for name in value if name != '_target_')}s=1"


def _values(name: str, key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield from {"null": "null", "number": "5", "word": "wide", "list": "[a]", "empty": "", "bool": "true"}.items()
    elif isinstance(value, bool):
        yield from {
            "word": "maybe",
            "number": "5",
            "one": "1",
            "list": "[true]",
            "null": "null",
            "mapping": "{a: 1}",
        }.items()
        yield "empty", ""
    elif isinstance(value, int | float):
        yield from {
            "word": "wide",
            "list": "[a]",
            "mapping": "{a: 1}",
            "bool": "true",
            "null": "null",
            "nan": "nan",
        }.items()
        yield from {"inf": "inf", "-inf": "-inf", "empty": "", "text": "'5'", "nested": "[[1, 2], [3]]"}.items()
        yield from {"bad rule": "{rule: mediam}", "bad schedule": "{schedule: wide}"}.items()
        yield from _sizes(name, value)
    elif isinstance(value, str):
        yield from {
            "list": "[a]",
            "mapping": "{a: 1}",
            "bool": "true",
            "null": "null",
            "empty": "",
            "number": "5",
        }.items()
        if name not in ANY_WORD:
            yield "word", "wide"
    elif isinstance(value, list):
        yield from {"mapping": "{a: 1}", "null": "null", "word": "wide", "bool": "true", "nulls": "[null]"}.items()
        yield from {"empty": "", "nested": "[[1, 2], [3]]", "words": "[1, a]"}.items()
        if name != "tags":
            yield from {"none": "[]", "nan": "[nan]", "1e300": "[1e300]"}.items()
    elif not key.startswith("dataset"):
        yield from {"list": "[a]", "mapping": "{a: 1}"}.items()
        if name != "distributed":
            yield "bool", "true"
        if name != "unbalanced":
            yield "fraction", "1.5"


def _sizes(name: str, value: float | int) -> Iterator[tuple[str, str]]:
    """Numbers of a size or a sign that the key cannot have."""
    yield "1e300", "1e300"
    if name not in MAY_BE_NEGATIVE:
        yield "negative", "-1"
    if name not in MAY_BE_NEGATIVE | MAY_BE_ZERO:
        yield "zero", "0"
    if name not in MAY_BE_LARGE:
        yield "1e20", "1e20"
    if isinstance(value, int):
        yield from {"fraction": "1.5", "huge": "100000000000000000000", "large": "100000000000"}.items()


def some_cases(n: int, seed: int) -> list[Case]:
    """`n` of all cases, the same for a seed."""
    return random.Random(seed).sample(all_cases(), n)


def answer(case: Case) -> Answer:
    """What the command line answers, in this process; nothing is computed."""
    from gmdwgf import train

    out, err = io.StringIO(), io.StringIO()
    os.environ.pop("HYDRA_FULL_ERROR", None)
    sys.argv, code = ["gmdwgf", *case.arguments, "--dry"], 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            train.cli()
        except SystemExit as stop:
            code = int(stop.code or 0)
        except Exception as error:
            code = -1
            print(f"{type(error).__name__}: {error}", file=err)
    return Answer(code, out.getvalue(), err.getvalue())


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    chosen = some_cases(int(sys.argv[1]), int(sys.argv[2]))
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        for case in chosen:
            sys.stdout.write(json.dumps([case, answer(case)]) + "\n")
        left = os.listdir(empty)
        os.chdir("/")
    sys.stdout.write(json.dumps(left) + "\n")
