"""Hyperparameters as module fields: real numbers are traced, structure is static, and values are validated.

A real number declared with `real` is a leaf of the module's pytree, so that changing it does not recompile and a grid of values is
one `vmap`. Counts, names and flags are static. An invalid value raises `FieldError` with the name of the field, from which the
command line derives the key.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeGuard, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gmdwgf.config.memory import too_many
from gmdwgf.mappings import Config

T = TypeVar("T")

_RULE = "gmdwgf_rule"
UNIT = "gmdwgf_unit"
POWER = "gmdwgf_power"
IGNORED = "gmdwgf_ignored"
OPTIONS = "gmdwgf_options"

Power = int | Callable[[Config], int]
"""Power of a length in the unit of a field, 0 if it has none; or a function of the other values of its config node."""

IgnoredWhen = Mapping[str, tuple[object, ...]]
"""Values of other fields of the same node with which a field is ignored, by the names of these fields."""

LARGEST_COUNT = 2**31 - 1
"""Largest count, since steps and array sizes are 32-bit integers."""

MOST_LAYERS = 1000
"""Largest number of layers, since layers are unrolled in the compiled program."""

LONGEST = 1e18
"""Largest length in data units; its inverse is the smallest. Their squares are representable in single precision."""


class FieldError(ValueError):
    """Raised for an invalid value of a field, with the field, the value and a fix.

    `section` is the config section of the field if it differs from the one being built (empty: `name` is a full key).
    """

    def __init__(self, name: str, value: object, fix: str, *, section: str | None = None):
        super().__init__(f"{name}={value}: {fix}")
        self.name, self.value, self.fix, self.section = name, value, fix, section


def _is_number(value: object) -> TypeGuard[int | float | np.integer | np.floating]:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _as_real(value: object) -> object:
    # A weakly typed scalar adopts the dtype of the cloud, and makes 1 and 1.0 in YAML equivalent.
    return jnp.asarray(float(value)) if _is_number(value) and _is_in_range(value) else value


def _as_reals(value: object) -> object:
    if _is_number(value):
        return jnp.asarray([float(value)]) if _is_in_range(value) else value
    if isinstance(value, list | tuple) and value and all(_is_number(v) and _is_in_range(v) for v in value):
        return jnp.asarray([float(v) for v in value])
    return value


def _as_points(value: object) -> object:
    rows = [_as_reals(row) for row in value] if isinstance(value, list | tuple) else []
    arrays = [row for row in rows if isinstance(row, jax.Array)]
    is_regular = len(arrays) == len(rows) and len({row.shape for row in arrays}) == 1
    return jnp.stack(arrays) if is_regular else value


def _is_in_range(value: int | float | np.integer | np.floating) -> bool:
    """Whether a number is representable in JAX's default float type, without overflow to infinity or underflow to 0."""
    limits = jnp.finfo(jnp.zeros(()).dtype)
    return bool(value == 0 or not math.isfinite(value) or float(limits.tiny) <= abs(value) <= float(limits.max))


def _check_real(
    shape_of: str,
    unit: str,
    above: float | None,
    at_least: float | None,
    at_most: float | None = None,
    below: float | None = None,
) -> Callable:
    is_length = unit.startswith("data units")

    def check(name: str, value: object) -> None:
        if isinstance(value, Tracer):
            return
        if not isinstance(value, jax.Array | np.ndarray):
            numbers = value if isinstance(value, list | tuple) else [value]
            if shape_of != "a number" and numbers and all(map(_is_number, numbers)) or _is_number(value):
                raise FieldError(
                    name, value, "must be 0 or from 1.2e-38 to 3.4e38 in size, as numbers of single precision"
                )
            raise FieldError(name, value, f"must be {shape_of}")
        if isinstance(value, jax.Array) and not value.is_fully_addressable:
            return
        shown = jax.tree.map(lambda number: float(f"{number:.7g}"), np.asarray(value).tolist())
        for number in np.ravel(np.asarray(value)):
            if not math.isfinite(number):
                raise FieldError(name, shown, "must be finite")
            if above is not None and not number > above:
                raise FieldError(name, shown, f"must be greater than {above:g}")
            if at_least is not None and not number >= at_least:
                raise FieldError(name, shown, f"must be at least {at_least:g}")
            if at_most is not None and not number <= at_most:
                raise FieldError(name, shown, f"must be at most {at_most:g}")
            if below is not None and not number < below:
                raise FieldError(name, shown, f"must be less than {below:g}")
            if is_length and number != 0 and not 1 / LONGEST <= abs(number) <= LONGEST:
                raise FieldError(
                    name, shown, f"must be from {1 / LONGEST:g} to {LONGEST:g} in size: its square is taken"
                )

    return check


def real(
    unit: str = "",
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    or_list: bool = False,
    power: Power | None = None,
    ignored_when: IgnoredWhen | None = None,
    default: object = dataclasses.MISSING,
) -> Any:
    """Field for a traced real number with a unit and bounds; with `or_list` also for a list, stored as an array.

    `power` is the power of a length in the unit, which a rule raises its length to: by default 1 if the unit begins with "data
    units", otherwise 0. `ignored_when`: other fields and their values with which this field is ignored.
    """
    rule = _check_real(
        "a number or a list of numbers" if or_list else "a number", unit, above, at_least, at_most, below
    )
    as_written = lambda value: (_as_reals if or_list and isinstance(value, list | tuple) else _as_real)(value)
    metadata = {_RULE: rule, UNIT: unit, POWER: power_of_unit(unit, power), IGNORED: ignored_when or {}}
    return eqx.field(converter=as_written, metadata=metadata, default=default)


def reals(
    unit: str = "",
    *,
    above: float | None = None,
    at_least: float | None = None,
    power: Power | None = None,
    ignored_when: IgnoredWhen | None = None,
    default: object = dataclasses.MISSING,
) -> Any:
    """Field for a traced real number or a list of them, stored as a one-dimensional array; see `real`."""
    rule = _check_real("a number or a list of numbers", unit, above, at_least)
    metadata = {_RULE: rule, UNIT: unit, POWER: power_of_unit(unit, power), IGNORED: ignored_when or {}}
    return eqx.field(converter=_as_reals, metadata=metadata, default=default)


def points(unit: str, dim: int | None = None) -> Any:
    """Field for a traced list of points `[k d]`, written as a list of lists; with `dim` every point has this many numbers."""
    shape = f"a list of points of {dim or 'equally many'} numbers each, e.g. [{[0.0] * (dim or 2)}]"
    check_numbers = _check_real(shape, unit, None, None)

    def check(name: str, value: object) -> None:
        if isinstance(value, jax.Array | np.ndarray) and (value.ndim != 2 or dim not in (None, value.shape[1])):
            raise FieldError(name, np.asarray(value).tolist(), f"must be {shape}")
        check_numbers(name, value)

    metadata = {_RULE: check, UNIT: unit, POWER: power_of_unit(unit, None)}
    return eqx.field(converter=_as_points, metadata=metadata)


def real_or_null(
    unit: str,
    *,
    above: float,
    at_most: float | None = None,
    power: Power | None = None,
    ignored_when: IgnoredWhen | None = None,
    default: object = dataclasses.MISSING,
) -> Any:
    """Field for a traced real number, or None (`null` or `none` in YAML); see `real`."""
    check_number = _check_real("null or a number", unit, above, None, at_most)

    def check(name: str, value: object) -> None:
        if value is not None:
            check_number(name, value)

    convert = lambda value: None if isinstance(value, str) and value == "none" else _as_real(value)
    metadata = {_RULE: check, UNIT: unit, POWER: power_of_unit(unit, power), IGNORED: ignored_when or {}}
    return eqx.field(converter=convert, metadata=metadata, default=default)


def power_of_unit(unit: str, power: Power | None) -> Power:
    """The declared power of a length in a unit, or else that of the unit's first words."""
    return int(unit.startswith("data units")) if power is None else power


def count(
    *,
    at_least: int = 1,
    at_most: int = LARGEST_COUNT,
    of_numbers: bool = False,
    ignored_when: IgnoredWhen | None = None,
    default: object = dataclasses.MISSING,
) -> Any:
    """Field for a static integer; changing it recompiles. `of_numbers`: at least this many floats are stored in memory."""

    def check(name: str, value: object) -> None:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if not isinstance(whole, int) or isinstance(whole, bool):
            raise FieldError(name, value, "must be an integer")
        if whole < at_least:
            raise FieldError(name, value, f"must be at least {at_least}")
        if of_numbers and (fix := too_many(whole, "one number each")):
            raise FieldError(name, value, fix)
        if whole > at_most:
            raise FieldError(name, value, f"must be at most {at_most}")
        if whole is not value:
            raise FieldError(name, value, f"must be an integer; write {whole}")

    return eqx.field(static=True, metadata={_RULE: check, IGNORED: ignored_when or {}}, default=default)


def counts(*names: str) -> Any:
    """Field for static integers of at least 1, one for each of `names`."""

    def check(name: str, value: object) -> None:
        fix = f"must be integers of at least 1: [{', '.join(names)}]"
        if not isinstance(value, tuple) or not all(isinstance(n, int) and not isinstance(n, bool) for n in value):
            raise FieldError(name, value, fix)
        if len(value) != len(names) or min(value) < 1:
            raise FieldError(name, value, fix)
        if max(value) > LARGEST_COUNT:
            raise FieldError(name, value, f"must be at most {LARGEST_COUNT} each")

    as_tuple = lambda value: tuple(value) if isinstance(value, list) else value
    return eqx.field(static=True, converter=as_tuple, metadata={_RULE: check})


def counts_of_any_length(what: str) -> Any:
    """Field for a list of static integers of at least 1, called `what` in messages."""

    def check(name: str, value: object) -> None:
        if (
            not isinstance(value, tuple)
            or not value
            or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in value)
        ):
            raise FieldError(name, value, f"must be a list of integers of at least 1: the {what}")

    as_tuple = lambda value: tuple(value) if isinstance(value, list) else value
    return eqx.field(static=True, converter=as_tuple, metadata={_RULE: check})


def choice(*options: str, ignored_when: IgnoredWhen | None = None, default: object = dataclasses.MISSING) -> Any:
    """Field for a static name, one of `options`."""

    def check(name: str, value: object) -> None:
        if value not in options:
            raise FieldError(name, value, "must be one of " + ", ".join(options))

    metadata = {_RULE: check, OPTIONS: options, IGNORED: ignored_when or {}}
    return eqx.field(static=True, metadata=metadata, default=default)


def flag(*, default: object = dataclasses.MISSING) -> Any:
    """Field for a static boolean."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, bool):
            raise FieldError(name, value, "must be true or false")

    return eqx.field(static=True, metadata={_RULE: check}, default=default)


def piece(of: type) -> Any:
    """Field for a nested component, an object of the class `of`."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, of):
            raise FieldError(
                name, value, f"must be of the class {of.__name__}: a mapping with its _target_ and its fields"
            )

    return eqx.field(metadata={_RULE: check}, converter=_unchanged)


def pieces(of: type, what: str) -> Any:
    """Field for a list of nested components of the class `of`, called `what` in messages; stored as a tuple."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, tuple) or not value or not all(isinstance(part, of) for part in value):
            raise FieldError(name, value, f"must be a list of {what}, each with its own _target_")

    as_tuple = lambda value: tuple(value) if isinstance(value, list) else value
    return eqx.field(metadata={_RULE: check}, converter=as_tuple)


def _unchanged(value: T) -> T:
    return value


class Configurable(eqx.Module):
    """Base class of modules whose fields are those of a YAML file; every field is validated once, at construction.

    Validation is in `__check_init__`, which does not run in `jit` and `vmap` when modules are rebuilt from traced leaves.
    """

    runs_named_code: ClassVar[bool] = False
    """Whether a field names code that is imported and called; not allowed in configs of unknown origin."""

    def __check_init__(self) -> None:
        for field in dataclasses.fields(self):
            rule = field.metadata.get(_RULE)
            if rule is not None:
                rule(field.name, getattr(self, field.name))
        self.check_values()

    def check_values(self) -> None:
        """Raise FieldError for incompatible values; called once, after every field has been validated separately."""

    def __repr__(self) -> str:
        return shown(self)


def shown(module: eqx.Module) -> str:
    """Format a module as its class and field values, as in code; large arrays as dtype and shape, e.g. `f32[4000,16]`."""
    shown = [field for field in dataclasses.fields(module) if field.repr]
    fields = ", ".join(f"{field.name}={_value(getattr(module, field.name))}" for field in shown)
    return f"{type(module).__name__}({fields})"


def _value(value: object) -> str:
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        inside = ", ".join(_value(item) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_value(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, jax.Array | np.ndarray):
        return (
            getattr(value, "__name__", repr(value))
            if callable(value) and not isinstance(value, eqx.Module)
            else repr(value)
        )
    is_plain = not isinstance(value, Tracer) and value.ndim < 2 and value.size <= 8 and value.dtype.kind in "fiub"
    if not is_plain or (isinstance(value, jax.Array) and (value.is_deleted() or not value.is_fully_addressable)):
        kind = re.sub(r"^(float|uint|int|complex)(?=\d)", lambda found: found[1][0], str(value.dtype))
        return f"{kind}[{','.join(map(str, value.shape))}]"
    numbers = [str(number) for number in np.ravel(np.asarray(value))]  # 0.3 and not 0.30000001192092896
    return f"[{', '.join(numbers)}]" if value.ndim else numbers[0]


def check_fields(made_by: object, values: Config) -> None:
    """Validate values of fields before an object of the class is constructed, so that its code receives only valid values."""
    if not (isinstance(made_by, type) and issubclass(made_by, Configurable)):
        return
    for field in dataclasses.fields(made_by):
        rule = field.metadata.get(_RULE)
        if rule is not None and field.name in values:
            rule(field.name, field.metadata.get("converter", _unchanged)(values[field.name]))


def units(module: eqx.Module) -> dict[str, str]:
    """Unit of every field of `module` that has one, by field name."""
    named = {field.name: field.metadata.get(UNIT, "") for field in dataclasses.fields(module)}
    return {name: unit for name, unit in named.items() if unit}
