"""Summarise a drift in a few lines of text: its fields with units, its self term and the functional it is the flow of."""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping

import equinox as eqx
import jax
import numpy as np

from gmdwgf.config.fields import units
from gmdwgf.drifts.base import AbstractDrift


def describe_drift(drift: AbstractDrift, changing: Mapping[str, eqx.Module] | None = None) -> list[str]:
    """Lines for every field, the self term and the flow; `changing` maps paths of fields to their schedules."""
    changing, tags = changing or {}, drift.tags()
    fields = [_field(path, value, unit, changing.get(path)) for path, value, unit in _fields(drift)]
    zero = "zero" if tags.zero_at_equality else "not zero"
    reach = "long range" if tags.reach == "long" else "local: masses of distant modes do not change"
    return [
        f"{type(drift).__name__}: {_first_sentence(type(drift))}",
        *(f"  {line}" for line in fields),
        *(f"  self term: {sentence}" for sentence in _self_terms(drift)),
        f"  flow of: {tags.flow_of or drift.estimates or 'no functional of the batch'}",
        f"  {zero} on identical clouds; {reach}",
    ]


def _fields(module: eqx.Module, prefix: str = "") -> Iterator[tuple[str, object, str]]:
    """Path, value and unit of every field, including those of nested modules."""
    unit = units(module)
    for field in dataclasses.fields(module):
        value, path = getattr(module, field.name), prefix + field.name
        parts = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(part, eqx.Module) for part in parts):
            yield path, value, unit.get(field.name, "")
            continue
        for index, part in enumerate(parts):
            inner = f"{path}.{index}" if isinstance(value, tuple) else path
            yield inner, type(part).__name__, ""
            yield from _fields(part, f"{inner}.")


def _field(path: str, value: object, unit: str, schedule: eqx.Module | None) -> str:
    if schedule is not None:
        numbers = ", ".join(f"{name} {_shown(number)}" for name, number, _ in _fields(schedule))
        value = f"{type(schedule).__name__.lower()} schedule, {numbers}"
    return f"{path} = {_shown(value)}" + (f"  [{unit}]" if unit else "")


def _shown(value: object) -> str:
    if not isinstance(value, jax.Array):
        return str(value)
    if value.size > 8:
        return f"array of {list(value.shape)}"
    return np.array2string(np.asarray(value), formatter={"float_kind": lambda number: f"{number:.6g}"}, separator=", ")


def _first_sentence(kind: type) -> str:
    text = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".:,")


def _self_terms(drift: AbstractDrift) -> list[str]:
    """Text under `Self term:` in the docstring, up to the next heading; one for every part of a composite drift."""
    inner = [part for part in getattr(drift, "drifts", ()) if isinstance(part, AbstractDrift)]
    if inner:
        return [sentence for part in inner for sentence in _self_terms(part)]
    found = re.search(r"Self term: (.*?)(?:\n[A-Z][\w ]*: |\n\n|$)", inspect.getdoc(type(drift)) or "", re.DOTALL)
    return [" ".join(found.group(1).split())] if found else []
