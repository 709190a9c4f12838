"""The tables of the page."""

from experiments.common.record import Number, table
from experiments.minimiser.cells import BANDWIDTHS, DRIFTS, LAWS, PLACES
from experiments.minimiser.conditions import DRIFTS as CONDITIONS
from experiments.minimiser.finite_batches import SELF_TERMS
from experiments.minimiser.laws import SETTINGS

Numbers = dict[str, Number]


def all_of(numbers: Numbers) -> list[str]:
    parts = (_on_the_line, _distances, _trained, _batches, _exponents, _euler, _conditions)
    return [line for part in parts for line in [*part(numbers), ""]]


def _value(numbers: Numbers, key: str, form: str = ".4f") -> str:
    return format(numbers[key].value, form) if key in numbers else "-"


def _on_the_line(numbers: Numbers) -> list[str]:
    rows = []
    for h in BANDWIDTHS:
        row = [f"{h:g}"]
        for drift, what in (("kl", "argmin"), ("kl_wgf", "rest"), ("kl", "rest")):
            variance, c, kl = (
                _value(numbers, f"line {drift} h={h:g} {what} {which}") for which in ("variance", "c", "KL")
            )
            row.append(f"{variance}, {c} ({kl})")
        row += [_value(numbers, f"line {drift} h={h:g} stable rests", ".0f") for drift in ("kl", "kl_wgf")]
        rows.append(row)
    head = (
        "h",
        "argmin of KL(k∗q, k∗p): w², c (KL)",
        "rest of `kl_wgf`",
        "rest of `kl`",
        "stable rests of `kl`",
        "of `kl_wgf`",
    )
    return ["d = 1, of several stable rests the one nearest to the argmin:", "", *table(head, rows)]


def _distances(numbers: Numbers) -> list[str]:
    rows = []
    for name in PLACES:
        for drift in (*DRIFTS, "sinkhorn"):
            row = [_value(numbers, f"{name} {drift} h={h:g} distance", ".2g") for h in BANDWIDTHS]
            rows += [[f"{SETTINGS[name]}, `{drift}`", *row]] if set(row) != {"-"} else []
    words = [
        "Distance of the nearest stable rest from the argmin: W₂ over the argmin's width (the root of the trace of its covariance);",
        "for `kl` the argmin of KL(k∗q, k∗p), for the others that of their functional; 1e-09 stands for less, - for not computed:",
    ]
    return [*words, "", *table(("family and target, drift", *(f"h = {h:g}" for h in BANDWIDTHS)), rows)]


def _with_half(number: Number) -> str:
    """A mean over seeds, with half of its interval."""
    return f"{number.value:.4f} ± {(number.high - number.low) / 2:.4f}"


def trainings(numbers: Numbers) -> list[str]:
    """The names of the trainings on targets outside of the family."""
    end = " variance n=infinity"
    return [key[: -len(end)] for key in sorted(numbers) if key.startswith("trained ") and key.endswith(end)]


def _trained(numbers: Numbers) -> list[str]:
    rows = []
    for key in trainings(numbers):
        at = [k.rpartition("=")[2] for k in numbers if k.startswith(f"{key} variance n=")]
        sizes = sorted(int(n) for n in at if n.isdigit())
        for what in ("variance", "c"):
            at = lambda n, name=f"{key} {what}": _with_half(numbers[f"{name} n={n}"])
            cells, limit = [f"{at(n)} (n = {n})" for n in sizes], at("infinity")
            rows.append([f"{key[8:]}: {what}", *cells, limit, _value(numbers, f"{key} {what} expected")])
    words = [
        "Trained: the variance (the trace of the covariance) and the centre (its first coordinate) with batches of n and 2n, their",
        "extrapolation, and what is expected without batches; 95 % intervals over seeds:",
    ]
    return [*words, "", *table(("training", "n", "2n", "n → ∞", "expected"), rows)]


def _batches(numbers: Numbers) -> list[str]:
    rows = []
    for d, h in LAWS:
        for term in SELF_TERMS:
            key = f"d={d} h={h:g} {term}"
            sizes = [_value(numbers, f"{key} n={n} variance") for n in (16, 64, 256)]
            slopes = [_value(numbers, f"{key} {what} exponent", ".2f") for what in ("first", "last")]
            rows.append(
                [f"d = {d}, h = {h:g}, `{term}`", *sizes, *slopes, f"2^{numbers[f'{key} last log2 n'].value:.0f}"]
            )
    words = [
        "Exact variance at which `kl` rests on N(0, I) with batches of n, and the exponent of |variance - 1| between the first and",
        "between the last two sizes at which it is resolved:",
    ]
    head = ("law, self term", "n = 16", "n = 64", "n = 256", "first exponent", "last", "last n")
    return [*words, "", *table(head, rows)]


def _exponents(numbers: Numbers) -> list[str]:
    rows = [
        [
            f"`{term}`",
            str(numbers[f"trained {term} h=0.2 exponent"]),
            _value(numbers, f"exact {term} h=0.2 exponent", ".3f"),
        ]
        for term in ("keep", "two_batch")
    ]
    return [
        "Exponents fitted to n = 16 to 128, d = 1, h = 0.2:",
        "",
        *table(("self term", "trained", "exact"), rows),
    ]


def _euler(numbers: Numbers) -> list[str]:
    forms = (("order", ".3f"), ("constant", ".4g"), ("constant expected", ".4g"))
    rows = [
        [f"`{drift}`, d = {d}", *(_value(numbers, f"euler {drift} d={d} {what}", form) for what, form in forms)]
        for drift in ("kl", "mmd")
        for d in (1, 2, 8, 32)
    ]
    head = ("drift", "order in η", "error / η as η → 0", "expected")
    return ["Euler steps of length η against the flow at time 1:", "", *table(head, rows)]


def _conditions(numbers: Numbers) -> list[str]:
    both = [(h, what) for h in (0.4, 0.8) for what in ("variance", "c")]
    rows = [
        [f"`{name}`", *(_value(numbers, f"rest of {name} h={h:g} {what}") for h, what in both)] for name in CONDITIONS
    ]
    head = ("condition", *(f"h = {h:g}: {what}" for h, what in both))
    lines = [
        "Rests of the four conditions, d = 1, ε = h², T = h, on 256 quantiles of either law:",
        "",
        *table(head, rows),
    ]
    for h in (0.4, 0.8):
        rows = [
            [f"`{row}`", *(_value(numbers, f"residual of {row} at {at} h={h:g}", ".2g") for at in CONDITIONS)]
            for row in CONDITIONS
        ]
        lines += ["", f"Residual of a row's condition at a column's rest, h = {h:g}:", ""]
        lines += table(("residual of", *CONDITIONS), rows)
    return lines
