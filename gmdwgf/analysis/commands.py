"""Derive the command of a single run from its config, since runs of a sweep store only the command of the sweep."""

import itertools
import re
import shlex
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from gmdwgf.config.build import options
from gmdwgf.config.composition import compose
from gmdwgf.mappings import Config
from gmdwgf.runs.identity import MACHINE_KEYS
from gmdwgf.runs.records import RunFiles, flatten

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
_PARTS = ("generator", "optimizer")
_REFERENCE = re.compile(r"\$\{(\.*)([\w.]+)\}")
_SPECIAL = ("null", "true", "false", "nan", "inf")


class _Base(NamedTuple):
    """Config composed from choices of groups only."""

    config: Config
    references: dict[str, str]


class Commands:
    """Commands of many runs; configs that they share are composed once."""

    def __init__(self) -> None:
        self._bases: dict[tuple[object, ...], _Base] = {}
        self._choices: dict[tuple[object, ...], list[str]] = {}

    def __call__(self, run: RunFiles) -> str | None:
        """Command line of this run; None if its components are not in `configs/`."""
        overrides = self.overrides(run)
        if overrides is None:
            return None
        return " ".join(["python -m gmdwgf.train", *(shlex.quote(override) for override in overrides)])

    def overrides(self, run: RunFiles) -> list[str] | None:
        """Overrides in which a run differs from the default config."""
        if run.dataset not in options("dataset") or run.drift not in options("drift") or not run.config:
            return None
        problem = [f"dataset={run.dataset}", f"drift={run.drift}"]
        made_by = _made_by(run.config)
        if made_by not in self._choices:
            self._choices[made_by] = self._nearest(run, problem)
        choices = problem + self._choices[made_by]
        return choices + _differences(self._base(choices, run), run)

    def _nearest(self, run: RunFiles, problem: list[str]) -> list[str]:
        """Choices of generator and optimiser that need the fewest overrides."""
        if _made_by(self._base(problem, run).config) == _made_by(run.config):
            return []
        generators, optimizers = ([[], *([f"{part}={name}"] for name in options(part))] for part in _PARTS)
        pairs = [generator + optimizer for generator, optimizer in itertools.product(generators, optimizers)]
        return min(pairs, key=lambda pair: len(pair) + len(_differences(self._base(problem + pair, run), run)))

    def _base(self, choices: list[str], run: RunFiles) -> _Base:
        """The config of the choices; of a run on a file with the defaults of data from files, although it names no file."""
        path = run.flat.get("dataset.path")
        name = (path is not None, *choices)
        if name not in self._bases:
            cfg = compose(dict(choice.split("=", 1) for choice in choices))
            if path is not None:
                cfg.dataset.path = path
            plain: Any = OmegaConf.to_container(cfg, resolve=True)
            if path is not None:
                plain["dataset"]["path"] = None
            self._bases[name] = _Base(plain, _references(cfg))
        return self._bases[name]


def _made_by(config: Config) -> tuple[object, ...]:
    return tuple((config.get(part) or {}).get("_target_") for part in _PARTS)


def _references(cfg: DictConfig) -> dict[str, str]:
    """Keys whose default is the value of another key, as `${.batch_size}`, with that key."""
    found = {}
    for key, value in flatten(OmegaConf.to_container(cfg, resolve=False)).items():
        if isinstance(value, str) and (match := _REFERENCE.fullmatch(value)):
            words = key.split(".")
            within = words[: len(words) - len(match[1])] if match[1] else []
            found[key] = ".".join([*within, match[2]])
    return found


def _differences(base: _Base, run: RunFiles) -> list[str]:
    """Overrides that turn `base` into the config of a run, without values that follow from other keys."""
    found = []
    for key, value in _compare(base.config, run.config):
        if key in base.references and run.flat.get(base.references[key]) == value:
            continue
        found.append(key if key.startswith("~") else f"{key}={_typed(value)}")
    return found


def _compare(base: Config, config: Config, prefix: str = "") -> list[tuple[str, object]]:
    """Keys to change, to add (`+key`) and to delete (`~key`), with their values."""
    found: list[tuple[str, object]] = []
    for name, value in config.items():
        key = f"{prefix}{name}"
        if key in MACHINE_KEYS and key != "paths":
            continue
        if name not in base:
            found.append((f"+{key}", value))
        elif isinstance(value, dict) and isinstance(base[name], dict) and not _is_one_value(value):
            found += _compare(base[name], value, f"{key}.")
        elif base[name] != value:
            found.append((key, value))
    return found + [(f"~{prefix}{name}", None) for name in base if name not in config and prefix]


def _is_one_value(value: Config) -> bool:
    """Whether a mapping is a rule or a schedule in place of a number; an optimiser has a field `schedule` with fields of its own."""
    return any(isinstance(value.get(word), str) for word in ("rule", "schedule"))


def _typed(value: object) -> str:
    """Format a value in the grammar of Hydra's overrides."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_typed(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_typed(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and value.lower() not in _SPECIAL):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
