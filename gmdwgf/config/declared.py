"""What fields declare besides their bounds: the power of a length in their unit, and the options with which they are ignored."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from gmdwgf.config.fields import IGNORED, OPTIONS, POWER, UNIT, Power
from gmdwgf.mappings import Config


class Ignored(NamedTuple):
    """Why a field is ignored: the value of another field, and the values with which it is read."""

    by: str
    value: object
    readers: list[object]
    """Values of the other field that read the field; empty if it is not a choice between names."""


def power_of(made_by: object, name: str, node: Config) -> int | None:
    """Power of a length in the unit of a field, given the values of its config node; None if it declares no number."""
    power: Power | None = _metadata(made_by, name).get(POWER)
    return power if power is None or isinstance(power, int) else power(node)


def unit_of(made_by: object, name: str) -> str:
    """Unit of a field; empty if it has none."""
    return _metadata(made_by, name).get(UNIT, "")


def ignored_in(made_by: object, node: Config) -> dict[str, Ignored]:
    """Fields of a config node that its other values make ignored."""
    return {name: why for name in node if (why := _why_ignored(made_by, name, node)) is not None}


def _why_ignored(made_by: object, name: str, node: Config) -> Ignored | None:
    for other, values in _metadata(made_by, name).get(IGNORED, {}).items():
        if other in node and node[other] in values:
            options = _metadata(made_by, other).get(OPTIONS, ())
            return Ignored(other, node[other], [option for option in options if option not in values])
    return None


def _metadata(made_by: object, name: str) -> Mapping[str, Any]:
    """Metadata of a field of a class; empty for anything that is not a dataclass."""
    if not (isinstance(made_by, type) and dataclasses.is_dataclass(made_by)):
        return {}
    return {field.name: field.metadata for field in dataclasses.fields(made_by)}.get(name, {})
