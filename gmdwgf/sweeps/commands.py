"""The command that makes one run, worked out from its config: a run of a sweep remembers only what the sweep was started by."""

import itertools
import re
import shlex
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from gmdwgf.configuration import config_dir, options
from gmdwgf.sweeps.identity import MACHINE_KEYS
from gmdwgf.sweeps.records import RunRecord

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_PARTS = ("generator", "optimizer")
_SPECIAL = ("null", "true", "false", "nan", "inf")


class Commands:
    """Commands of many runs; what they have in common is composed once."""

    def __init__(self) -> None:
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        self._choices: dict[tuple[Any, ...], list[str]] = {}

    def __call__(self, run: RunRecord) -> str | None:
        """What one types to get this run and no other; None where its parts are not those of `configs/`."""
        overrides = self.overrides(run)
        if overrides is None:
            return None
        return " ".join(["python -m gmdwgf.train", *(shlex.quote(override) for override in overrides)])

    def overrides(self, run: RunRecord) -> list[str] | None:
        """The choices and numbers in which a run differs from the default one."""
        if run.dataset not in options("dataset") or run.drift not in options("drift") or not run.config:
            return None
        problem = [f"dataset={run.dataset}", f"drift={run.drift}"]
        made_by = _made_by(run.config)
        if made_by not in self._choices:
            self._choices[made_by] = self._nearest(run, problem)
        choices = problem + self._choices[made_by]
        return choices + _differences(self._base(choices), run.config)

    def _nearest(self, run: RunRecord, problem: list[str]) -> list[str]:
        """The choices of a generator and an optimiser that leave least to be said about a run."""
        if _made_by(self._base(problem)) == _made_by(run.config):
            return []
        generators, optimizers = ([[], *([f"{part}={name}"] for name in options(part))] for part in _PARTS)
        pairs = [generator + optimizer for generator, optimizer in itertools.product(generators, optimizers)]
        return min(pairs, key=lambda pair: len(pair) + len(_differences(self._base(problem + pair), run.config)))

    def _base(self, choices: list[str]) -> DictConfig:
        if tuple(choices) not in self._bases:
            GlobalHydra.instance().clear()
            with initialize_config_dir(str(config_dir()), version_base="1.3"):
                self._bases[tuple(choices)] = compose("train", overrides=choices)
        return self._bases[tuple(choices)]


def _made_by(config: Any) -> tuple[Any, ...]:
    return tuple((config.get(part) or {}).get("_target_") for part in _PARTS)


def _differences(base: DictConfig, config: dict[str, Any]) -> list[str]:
    """Overrides that turn `base` into `config`; a number that follows from another one is not named."""
    plain: Any = OmegaConf.to_container(base, resolve=True)
    first = _compare(plain, config)
    follows = [key for key, _ in first if _is_interpolation(base, key)]
    if follows:
        changed = OmegaConf.merge(base)
        for key, value in first:
            if key not in follows and not key.startswith("~"):
                OmegaConf.update(changed, key.lstrip("+"), value, merge=False, force_add=True)
        resolved: Any = OmegaConf.to_container(changed, resolve=True)
        still = {key for key, _ in _compare(resolved, config)}
        first = [(key, value) for key, value in first if key not in follows or key in still]
    return [key if key.startswith("~") else f"{key}={_typed(value)}" for key, value in first]


def _compare(base: dict[str, Any], config: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Keys to change, to add (`+key`) and to leave out (`~key`), with their values."""
    found: list[tuple[str, Any]] = []
    for name, value in config.items():
        key = f"{prefix}{name}"
        if key in MACHINE_KEYS and key != "paths":
            continue
        if name not in base:
            found.append((f"+{key}", value))
        elif isinstance(value, dict) and isinstance(base[name], dict):
            found += _compare(base[name], value, f"{key}.")
        elif base[name] != value:
            found.append((key, value))
    return found + [(f"~{prefix}{name}", None) for name in base if name not in config and prefix]


def _is_interpolation(base: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(base, parent) if parent else base
    return isinstance(node, DictConfig) and name in node and OmegaConf.is_interpolation(node, name)


def _typed(value: Any) -> str:
    """A value in the grammar of Hydra's overrides."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_typed(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_typed(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and value.lower() not in _SPECIAL):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
