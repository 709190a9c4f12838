"""The changes that mutants are made of, and the table of the tests that hold each file."""

import pytest

from scripts import mutations
from scripts.mutants import ROOMS, TESTS, table
from tests.conftest import ROOT


def mutants_of(source):
    return [mutations.mutated(source, index)[0] for index in range(len(mutations.sites(source)))]


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("v = a - b", ["v = a + b"]),
        ("n = m - 1", ["n = m + 1", "n = m"]),
        ("v = -a / b", ["v = -a", "v = a / b"]),
        ("v = a * r ** 2", ["v = a", "v = a * r ** (2 + 1)"]),
        ("ok = i <= n", ["ok = i < n"]),
        ("ok = a & ~b", ["ok = a | ~b", "ok = a & b"]),
        ("a, b = jax.random.split(key)", ["a, b = [jax.random.split(key)[place] for place in [0, 0]]"]),
        ("a = f(jax.random.split(key, n))", ["a = f(jax.random.split(key, n)[jax.numpy.zeros(n, int)])"]),
        ("a = jax.random.fold_in(key, 3)", ["a = key"]),
        ("s = x.std(ddof=1)", ["s = x.std(ddof=1 - 1)"]),
        ("i = choice(replace=False)", ["i = choice(replace=True)"]),
        ("a = jnp.where(c, x, y)", ["a = jnp.where(c, y, x)"]),
        ("a = distance(x, y)", ["a = distance(y, x)"]),
        ("a = jnp.mean(x)", ["a = jnp.sum(x)"]),
        ("a = jax.lax.stop_gradient(x)", ["a = x"]),
        ("a = optax.sgd(rate, momentum=m)", ["a = optax.sgd(rate)"]),
        ("a = optax.clip_by_global_norm(c)", ["a = optax.clip(c)"]),
    ],
)
def test_a_change_is_made_once_at_each_place(source, mutants):
    assert mutants_of(source) == mutants


@pytest.mark.parametrize(
    "source",
    [
        "v = a - b  # no mutants: both serve",
        "v = a - b  # no mutants (sign flipped, off by one): both serve",
        "# no mutants: both serve\nv = a - b",
        "if a < b:\n    raise ValueError(a - b)",
        "info = {'v_rms': a - b}",
        "def tags(self):\n    return a - b",
        "class A:\n    n: int = count(of_numbers=True)",
        "def f(x: int | None): ...",
        "text = f'{a - b}'",
    ],
)
def test_checks_of_arguments_messages_and_exempted_lines_are_left_alone(source):
    assert mutants_of(source) == []


def test_exempted_lines_are_listed_with_their_reasons():
    source = "a = 1\nb = 2 - a  # no mutants: any number serves"
    assert mutations.exempted(source) == [(2, "b = 2 - a", "any number serves")]


def test_every_file_of_the_rooms_that_offers_a_change_has_tests_that_exist():
    tests_of = table()
    files = [file for room in ROOMS for file in (ROOT / "gmdwgf" / room).glob("*.py")]
    missing = [file for file in files if file not in tests_of and mutants_of(file.read_text())]
    assert missing == []
    assert [name for name in TESTS if not (ROOT / "gmdwgf" / f"{name}.py").is_file()] == []
    assert [test for tests in tests_of.values() for test in tests if not (ROOT / test).is_file()] == []
