import ast
import importlib
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import load_node, options
from tests.conftest import ROOT
from tests.training.common import same_bits

LAZY = ["gmdwgf", "gmdwgf.drifts", "gmdwgf.targets", "gmdwgf.generators", "gmdwgf.metrics", "gmdwgf.optim"]


@pytest.mark.parametrize("name", LAZY)
def test_every_exported_name_is_there_and_known_to_type_checkers(name):
    package = importlib.import_module(name)
    assert set(package.__all__) <= set(dir(package))
    for exported in package.__all__:
        assert getattr(package, exported) is not None
    tree = ast.parse(Path(package.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = [alias for node in [*tree.body, *block.body] if isinstance(node, ast.ImportFrom) for alias in node.names]
    known = {alias.asname for alias in imported if alias.asname} - set(getattr(package, "_PACKAGES", ()))
    assert known == set(package.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018


@pytest.mark.parametrize(("group", "name"), [("drift", "drifts"), ("dataset", "targets"), ("generator", "generators")])
def test_every_class_that_a_config_names_is_exported(group, name):
    for option in options(group):
        node = load_node(group, option, {})
        module, _, kind = node.get(group, node)["_target_"].rpartition(".")
        assert getattr(importlib.import_module(f"gmdwgf.{name}"), kind) is getattr(
            importlib.import_module(module), kind
        )


@pytest.mark.parametrize("name", options("drift"))
def test_a_drift_is_shown_as_it_would_be_typed(name):
    drift = gmdwgf.load_drift(name)
    known = {kind: getattr(gmdwgf.drifts, kind) for kind in gmdwgf.drifts.__all__}
    known |= {kind: getattr(gmdwgf.optim, kind) for kind in gmdwgf.optim.__all__}
    assert same_bits(eval(repr(drift), known), drift)


def test_large_arrays_and_traced_numbers_are_shown_by_type_and_shape():
    assert repr(gmdwgf.drifts.KLDrift(0.3, "keep")) == (
        "KLDrift(bandwidth=0.3, self_term='keep', bias='none', kernel='gaussian')"
    )
    target = gmdwgf.targets.ArrayTarget(np.random.default_rng(0).normal(size=(10, 3)), None, 0.2, 0)
    assert repr(target) == "ArrayTarget(train=f32[8,3], held=f32[2,3])"
    shown = []
    jax.eval_shape(lambda drift: shown.append(repr(drift)), gmdwgf.drifts.KLDrift(0.3, "keep"))
    assert shown == ["KLDrift(bandwidth=f32[], self_term='keep', bias='none', kernel='gaussian')"]


def test_the_package_waits_with_jax_and_knows_its_version():
    code = "import sys, gmdwgf; dir(gmdwgf); print(gmdwgf.__version__); assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f'version = "{done.stdout.strip()}"' in (ROOT / "pyproject.toml").read_text()


def test_type_checkers_are_told_that_the_package_is_typed():
    assert (ROOT / "gmdwgf" / "py.typed").is_file()
