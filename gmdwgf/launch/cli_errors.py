"""Error messages of the command line: one line with the key, the value and a fix."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from gmdwgf.config.build import ConfigError, config_dir, options, unknown_name
from gmdwgf.data.data_files import is_path_key
from gmdwgf.files import DamagedFile
from gmdwgf.launch.arguments import parsed, unreadable
from gmdwgf.runs.identity import check_choices

if TYPE_CHECKING:
    from gmdwgf.runs.folder import RunDir

BAD_INPUT, CRASH = 2, 1


def complain(error: Exception, arguments: list[str], run: "RunDir | None") -> int:
    """Print the error on standard error and return the exit code: 2 for invalid input, 1 for a crash."""
    from gmdwgf.runs.folder import RunIsLive, RunVanished, reason

    hide = run.hide if run is not None else str
    begun = run is not None and (run.path / "FAILED.json").is_file()
    if choice := _no_choice(arguments):
        line = choice
    elif isinstance(error, ConfigError):
        line = hide(f"{error}{_default(error, arguments)}")
    elif isinstance(error, RunIsLive | DamagedFile):
        line = str(error)
    elif launcher := _missing_launcher(error, arguments):
        line = launcher
    elif isinstance(error, HydraException | OmegaConfBaseException):
        line = hide(_of_hydra(error, arguments))
    elif isinstance(error, OSError) and error.filename and not begun:
        line = f"{error.filename}: {error.strerror}; choose another folder with paths.root=FOLDER"
    elif isinstance(error, RunVanished):
        print(f"gmdwgf: {error}", file=sys.stderr)  # noqa: T201
        return CRASH
    else:
        kept = f"traceback in {run.path}/FAILED.json" if run and begun else "HYDRA_FULL_ERROR=1 shows the traceback"
        print(f"gmdwgf: {hide(_one_line(reason(error)))} ({kept})", file=sys.stderr)  # noqa: T201
        return CRASH
    print(f"gmdwgf: {line}", file=sys.stderr)  # noqa: T201
    return BAD_INPUT


def _of_hydra(error: Exception, arguments: list[str]) -> str:
    text = str(error)
    if isinstance(error, OverrideParseException):
        return unreadable(arguments) or f"{_one_line(text)}; write KEY=VALUE"
    if found := re.search(r"Ambiguous value for argument '([^']+)'", text):
        key, _, values = found.group(1).partition("=")
        if key in _groups():
            return f"{key}={values}: several values; give one of them, or -m {key}={values} runs one after the other"
        both = f"-m {key}={values} runs one after the other, {key}=[{values}] is a list"
        return f"{key}={values}: several values; {both}, '{key}=\"{values}\"' is one text"
    if found := re.search(r"Could not delete from config\. '([^']+)' does not exist", text):
        return f"~{found.group(1)}: {_unknown(found.group(1), arguments)}"
    if found := re.search(r"Error merging override [+~]*([^=\s]+)=", text):
        return f"{found.group(1)}={_value(found.group(1), arguments)}: {_kind(found.group(1), arguments)}"
    if isinstance(error, InterpolationResolutionError):
        return f"{_one_line(text.splitlines()[0])}; give its key a value, or define what it refers to"
    if found := re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", text):
        group, name = found.groups()
        return f"{group}={name}: {unknown_name(name, _options(group, arguments))}"
    if found := re.search(r"Could not override '([^']+)'", text):
        key = found.group(1)
        if key in _groups():
            return f"{key}: give one of {', '.join(_options(key, arguments))} as {key}=NAME"
        return f"{key}={_value(key, arguments)}: {_unknown(key, arguments)}"
    if found := re.search(r"Could not append to config\. An item is already at '([^']+)'", text):
        return f"+{found.group(1)}: is there already; write it without the +"
    return f"{_one_line(text)}; see python -m gmdwgf.train --help"


def _no_choice(arguments: list[str]) -> str | None:
    """Error message for a group without a valid name, or a required group that is deleted or given a list; otherwise None."""
    needed = _needed()
    for argument in arguments:
        if argument.startswith("="):
            return f"{argument}: has no key; write KEY=VALUE"
        typed, _, value = argument.lstrip("+").partition("=")
        group = typed.lstrip("~")
        if group not in _groups():
            continue
        names, is_needed = ", ".join(_options(group, arguments)), group in needed
        if typed != group and is_needed:
            return f"{argument}: a run has a {group}; give one of {names} as {group}=NAME"
        if typed == group and (not _is_word(argument) or is_needed and value.startswith("[")):
            more = "; -m drift=A,B runs one after the other, drift=sum adds them" if group == "drift" else ""
            return f"{argument}: {'' if is_needed else 'leave it out, or '}give one of {names} as {group}=NAME{more}"
        try:
            for name in value.split(",") if typed == group else []:  # of a swept group, each
                check_choices({group: name})
        except ConfigError as error:
            return str(error)
    return None


def _is_word(argument: str) -> bool:
    """Whether the value of an override can be a choice of a group: one or several names, not a number, mapping or empty."""
    override = parsed(argument)
    if override is None or override.is_sweep_override():
        return True
    return bool(override.value()) and isinstance(override.value(), str | list | QuotedString)


def _needed() -> set[str]:
    """Required groups: those with a choice in `configs/train.yaml`."""
    entries = [entry for entry in OmegaConf.load(config_dir() / "train.yaml").defaults if isinstance(entry, DictConfig)]
    return {str(group) for entry in entries for group, name in entry.items() if name is not None}


def _missing_launcher(error: Exception, arguments: list[str]) -> str | None:
    """Error message for a launcher or sweeper that is not installed; otherwise None."""
    for group, extra in (("launcher", "launchers"), ("sweeper", "search")):
        name = _value(f"hydra/{group}", arguments)
        if f"hydra/{group}/{name}'" in str(error) or (name != "?" and "Unknown plugin class" in str(error)):
            there = ", ".join(["basic", *options(f"hydra/{group}")])
            return f"hydra/{group}={name}: not found; available are {there}, others need pip install 'gmdwgf[{extra}]'"
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _options(group: str, arguments: list[str]) -> list[str]:
    """Names in a group, including those in the folder given as --config-dir."""
    return sorted({*options(group), *(path.stem for own in _own(arguments) for path in (own / group).glob("*.yaml"))})


def _own(arguments: list[str]) -> list[Path]:
    """The folder given as --config-dir, if any."""
    flags = ("--config-dir", "-cd")
    pairs = zip(arguments, arguments[1:], strict=False)
    given = [value for flag, value in pairs if flag in flags]
    given += [argument.partition("=")[2] for argument in arguments if argument.startswith(f"{flags[0]}=")]
    return [Path(folder).expanduser().absolute() for folder in given]


def _groups() -> list[str]:
    return [path.name for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"]


def _value(key: str, arguments: list[str]) -> str:
    values = [argument.split("=", 1)[1] for argument in arguments if argument.lstrip("+~").startswith(f"{key}=")]
    return values[-1] if values else "?"


def _defaults(arguments: list[str]) -> DictConfig | None:
    """The config with only the choices of groups and of a data file applied; None if these do not compose."""
    # Of a swept group take the first choice, at which an error stops the sweep.
    kept = [*_groups(), "dataset.path"]  # defaults differ for data of a user
    chosen = [argument.split(",")[0] for argument in arguments if argument.split("=", 1)[0] in kept]
    own = [f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in _own(arguments))}]"]
    GlobalHydra.instance().clear()
    try:
        OverridesParser.create().parse_overrides(chosen)
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("train", overrides=chosen + own)
    except Exception:
        return None


def _unknown(key: str, arguments: list[str]) -> str:
    """Message for an unknown key: its first unknown part, and the known names in its place."""
    node: Any = _defaults(arguments)
    words = key.split(".")
    for word in words:
        if not isinstance(node, DictConfig) or words[0] == "hydra":
            return "unknown; see python -m gmdwgf.train --help"
        if word not in node:
            return unknown_name(word, [str(name) for name in node if name != "_target_"])
        node = node[word]
    return "has no value to delete; omit the override, or give it a value"


def _kind(key: str, arguments: list[str]) -> str:
    """Message for a value of the wrong kind, where the default is a list or a mapping."""
    there = OmegaConf.select(_defaults(arguments) or OmegaConf.create(), key)
    if isinstance(there, DictConfig):
        fields = ", ".join(f"{key}.{name}" for name in there if name != "_target_")
        return f"must be a mapping; give its fields: {fields}"
    if isinstance(there, ListConfig):
        shown = ",".join(str(item) for item in there)
        return f"must be a list, e.g. {key}=[{shown}]"
    return f"has the wrong type; give a value like the default, {key}={there}"


def _default(error: ConfigError, arguments: list[str]) -> str:
    """Suffix that states the default of the key in error, if another value was given."""
    cfg = _defaults(arguments)
    value = OmegaConf.select(cfg, error.key) if cfg is not None else None
    is_said = str(value) == str(error.value) or f"leave it at {value}" in error.fix
    if (
        value is None or isinstance(value, DictConfig) or is_said or is_path_key(error.key)
    ):  # a path is that of the command
        return ""
    shown = str(value).lower() if isinstance(value, bool) else value
    return f"; the default is {error.key}={shown}"
