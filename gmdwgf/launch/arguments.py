"""Check command-line overrides: characters that need quotes, and invalid values of sections that Hydra itself reads."""

from collections.abc import Callable
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from gmdwgf.config.build import ConfigError


def parsed(argument: str) -> Override | None:
    """Parse an override with Hydra's grammar; None for flags and for invalid overrides."""
    if argument.startswith("-"):
        return None
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def unreadable(arguments: list[str]) -> str | None:
    """Error message for the first override that Hydra's grammar cannot parse; None if all are valid."""
    for flag, argument in zip(["", *arguments], arguments, strict=False):
        if argument.startswith("-") or flag.startswith("--") or parsed(argument) is not None:
            continue
        key, equals, value = argument.partition("=")
        if not equals:
            return f"{argument}: has no value; write {argument}=VALUE"
        quoted = '{}="{}"'.format(key, value.replace('"', '\\"'))
        if value[:1] in ("[", "{", "(", "'", '"') or parsed(quoted) is None:
            return f"{argument}: cannot be read; write KEY=VALUE and close every bracket and quote, e.g. {key}=[1,2]"
        return f"{argument}: cannot be read; put the value in quotes, and all of it for the shell: '{quoted}'"
    return None


def misused_section(arguments: list[str]) -> str | None:
    """Error message if `paths` or `sweep`, which Hydra reads before any job, are deleted or not mappings; otherwise None."""
    from gmdwgf.launch.layout import check_root, machine_sections

    for argument in arguments:
        override = parsed(argument)
        section, *field = override.key_or_group.split(".") if override is not None else [""]
        if override is None or section not in machine_sections():
            continue
        fields = ", ".join(f"{section}.{name}" for name in machine_sections()[section])
        if override.is_delete():
            return f"{argument}: cannot be deleted; omit it, or set one of its fields: {fields}"
        if override.is_sweep_override():
            continue
        if not field and not isinstance(override.value(), dict):
            return f"{argument}: must be a mapping; give its fields: {fields}"
        try:
            _check(override, check_root)
        except ConfigError as error:
            return str(error)
    return None


def _check(override: Override, check_root: Callable[[object], None]) -> None:
    value: Any = override.value()
    if override.key_or_group == "paths" and "root" in value:
        check_root(value["root"])
    if override.key_or_group == "paths.root":
        check_root(value if isinstance(value, int | float | list | dict | None) else str(value))
