"""Floors are stored for the included targets, and only where a stored one is the one that would be computed."""

import equinox as eqx
import jax
import pytest

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.engine import references
from gmdwgf.targets.base import AbstractTarget
from tests.training.common import small_problem


class UsersTarget(AbstractTarget):
    """A target whose code we do not know."""

    dim: int = 2

    def sample(self, key, n):
        return jax.random.normal(key, (n, 2))


class UsersFunction(eqx.Module):
    """A sampling function whose repr does not show that it is another object in another process."""

    def __call__(self, key, n):
        return jax.random.normal(key, (n, 2))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The cache folder of this test, with nothing remembered from other tests in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(references, "_references", {})
    before = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", True)
    yield tmp_path / "gmdwgf" / "floors"
    jax.config.update("jax_enable_compilation_cache", before)


def floor_of(problem, monkeypatch, **fields):
    """The floor as a new process finds it."""
    monkeypatch.setattr(references, "_references", {})
    small = {"n_samples": 40, "n_assignment": 20, "n_projections": 4, "n_floor_draws": 3}
    suite = build(load_node("metrics", "default", small | fields), "metrics")
    return references.fixed_reference(suite, problem).floor


def computed_again(monkeypatch):
    """Make computing a floor an error."""

    def refuse(*_):
        raise AssertionError("the floor is computed again")

    monkeypatch.setattr("gmdwgf.metrics.suite.fresh_clouds", refuse)


def test_a_second_process_reads_the_floor_that_the_first_computed(folder, monkeypatch):
    first = floor_of(small_problem("kl"), monkeypatch)
    (path,) = folder.iterdir()
    written = path.stat().st_mtime_ns
    computed_again(monkeypatch)
    assert floor_of(small_problem("mmd"), monkeypatch) == first
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("text", ["", "{", "[]", '{"gap": 1}', '{"gap": ["a", 2]}', "\0"])
def test_a_damaged_floor_is_computed_and_stored_again(folder, monkeypatch, text):
    first = floor_of(small_problem("kl"), monkeypatch)
    (path,) = folder.iterdir()
    path.write_text(text)
    assert floor_of(small_problem("kl"), monkeypatch) == first
    computed_again(monkeypatch)
    assert floor_of(small_problem("kl"), monkeypatch) == first


def test_other_numbers_are_another_floor(folder, monkeypatch):
    problems = [small_problem("kl"), small_problem("kl", changes={"dataset": {"noise": 0.2}})]
    assert floor_of(problems[0], monkeypatch) != floor_of(problems[1], monkeypatch)
    floor_of(problems[0], monkeypatch, n_projections=5)
    monkeypatch.setattr(references, "_hash_of_code", lambda: "other code")
    floor_of(problems[0], monkeypatch)
    assert len(list(folder.iterdir())) == 4


def test_nothing_is_stored_for_a_target_of_a_user_or_without_the_cache(folder, monkeypatch):
    pieces = small_problem("kl")
    own = gmdwgf.make_problem(UsersTarget(), pieces.drift, batch_size=8, n_steps=4)
    assert floor_of(own, monkeypatch)["mmd2"].sd > 0
    for draw in (lambda key, n: jax.random.normal(key, (n, 2)), UsersFunction()):
        floor_of(gmdwgf.make_problem(draw, pieces.drift, batch_size=8, n_steps=4), monkeypatch)
    jax.config.update("jax_enable_compilation_cache", False)
    floor_of(pieces, monkeypatch)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_no_error(folder, monkeypatch):
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder would be")
    assert floor_of(small_problem("kl"), monkeypatch)["mmd2"].sd > 0
