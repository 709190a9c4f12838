"""What the command line says of an error: one line with the key, the value and the fix."""

import re
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gmdwgf.configuration import ConfigError, config_dir, options, unknown_name

BAD_INPUT, CRASH = 2, 1


def complain(error: Exception, arguments: list[str], run_folder: Path | None) -> int:
    """Say on standard error what was wrong with the command and return the exit code: 2 for input, 1 for a crash."""
    from gmdwgf.sweeps.folder import RunIsLive, reason

    begun = run_folder is not None and (run_folder / "FAILED.json").is_file()
    if isinstance(error, ConfigError):
        line = f"{error}{_default(error.key, arguments)}"
    elif isinstance(error, RunIsLive):
        line = str(error)
    elif launcher := _missing_launcher(error, arguments):
        line = launcher
    elif isinstance(error, HydraException | OmegaConfBaseException):
        line = _of_hydra(error, arguments)
    elif isinstance(error, OSError) and error.filename and not begun:
        line = f"{error.filename}: {error.strerror}; choose another folder with paths.root=FOLDER"
    else:
        kept = f"traceback in {run_folder}/FAILED.json" if begun else "HYDRA_FULL_ERROR=1 shows the traceback"
        print(f"gmdwgf: {_one_line(reason(error))} ({kept})", file=sys.stderr)  # noqa: T201
        return CRASH
    print(f"gmdwgf: {line}", file=sys.stderr)  # noqa: T201
    return BAD_INPUT


def _of_hydra(error: Exception, arguments: list[str]) -> str:
    text = str(error)
    if found := re.search(r"Could not find '([\w/]+)/([^/']+)'", text):
        group, name = found.groups()
        return f"{group}={name}: {unknown_name(name, options(group))}"
    if found := re.search(r"Could not override '([^']+)'", text):
        key = found.group(1)
        if key in _groups():
            return f"{key}: give one of {', '.join(options(key))} as {key}=NAME"
        parent, _, name = key.rpartition(".")
        return f"{key}={_value(key, arguments)}: {unknown_name(name, _fields(parent, arguments))}"
    if found := re.search(r"Could not append to config\. An item is already at '([^']+)'", text):
        return f"+{found.group(1)}: is there already; write it without the +"
    return f"{_one_line(text)}; see python -m gmdwgf.train --help"


def _missing_launcher(error: Exception, arguments: list[str]) -> str | None:
    """What to say where a launcher or sweeper was asked for that is not installed."""
    for group, extra in (("launcher", "launchers"), ("sweeper", "search")):
        name = _value(f"hydra/{group}", arguments)
        if f"hydra/{group}/{name}'" in str(error) or (name != "?" and "Unknown plugin class" in str(error)):
            there = ", ".join(["basic", *options(f"hydra/{group}")])
            return f"hydra/{group}={name}: not here; there are {there}, and more with pip install 'gmdwgf[{extra}]'"
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _groups() -> list[str]:
    return [path.name for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"]


def _value(key: str, arguments: list[str]) -> str:
    values = [argument.split("=", 1)[1] for argument in arguments if argument.lstrip("+~").startswith(f"{key}=")]
    return values[-1] if values else "?"


def _defaults(arguments: list[str]) -> DictConfig | None:
    """The config with the chosen groups and nothing else changed; None when even those do not compose."""
    # Of a swept group the first: it is the one that an error stopped at.
    chosen = [argument.split(",")[0] for argument in arguments if argument.split("=", 1)[0] in _groups()]
    GlobalHydra.instance().clear()
    try:
        OverridesParser.create().parse_overrides(chosen)
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("train", overrides=chosen)
    except Exception:
        return None


def _fields(parent: str, arguments: list[str]) -> list[str]:
    cfg = _defaults(arguments)
    node: Any = OmegaConf.select(cfg, parent) if cfg is not None and parent else cfg
    return [str(name) for name in node if name != "_target_"] if isinstance(node, DictConfig) else []


def _default(key: str, arguments: list[str]) -> str:
    cfg = _defaults(arguments)
    value = OmegaConf.select(cfg, key) if cfg is not None else None
    if value is None or isinstance(value, DictConfig):
        return ""
    return f"; the default is {key}={value}"
