"""Nonsense in every key of every config: one line that names the key and says what to write, never a run."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.config.memory import machine_bytes
from tests.conftest import ROOT, user_environment
from tests.nonsense import Answer, Case

WHAT_TO_DO = (
    r"must|put |-m |did you mean|Known:|give |take |write |leave |omit |set |needs "
    r"|there are only|is not a file|cannot be imported"
)
NOT_FOR_USERS = r"Traceback|\w+Error\b|NoneType|HYDRA_FULL_ERROR|object_type|full_key|see python -m|Exception"


def problems(case: Case, answer: Answer) -> list[str]:
    """What is wrong with the answer to a command that makes no sense."""
    found = []
    if answer.code != 2:
        found.append("accepted" if answer.code == 0 else f"exit code {answer.code}")
    elif len(answer.err.strip().splitlines()) != 1:
        found.append("not one line")
    if answer.code and not re.match(rf"gmdwgf: .*\b{case.key.split('.')[0]}\b", answer.err):
        found.append("does not name the key or its group")
    if answer.code and not re.search(WHAT_TO_DO, answer.err):
        found.append("does not say what to do")
    if re.search(NOT_FOR_USERS, answer.out + answer.err):
        found.append("speaks of exceptions")
    return found


@pytest.mark.slow
def test_no_nonsense_is_accepted_and_all_of_it_is_answered_with_a_fix(tmp_path):
    command = [sys.executable, "-m", "tests.nonsense", "300", "16"]
    done = subprocess.run(command, cwd=ROOT, env=user_environment(tmp_path), capture_output=True, text=True, check=True)
    *lines, left = map(json.loads, done.stdout.splitlines())
    tried = [(Case(*case), Answer(*answer)) for case, answer in lines]
    assert len(tried) == 300
    assert not {" ".join(c.arguments): [*found, a.err] for c, a in tried if (found := problems(c, a))}
    assert left == []


NAMED = {
    "a batch that no machine can keep": (["training.batch_size=100000000000"], "4e+11 bytes"),
    "a whole number written as a real one": (["training.n_steps=1e3"], "must be an integer; write 1000"),
    "more steps than 32 bits count": (["training.n_steps=100000000000"], "must be at most 2147483647"),
    "true for a count": (["training.n_steps=true"], "training.n_steps=true: must be an integer"),
    "a number for yes or no": (["tracking.progress=3"], "tracking.progress=3: must be true or false"),
    "a length whose square is no number": (["drift=kl", "drift.bandwidth=1e20"], "must be from 1e-18 to 1e+18"),
    "more pairs than rows": (["metrics.n_assignment=5000"], "must be at most n_samples=2000"),
    "no feature maps": (
        ["dataset=image_latents", "features=digits", "features.maps.parts=null"],
        "features.maps.parts=null: must be a list of feature maps",
    ),
    "no schedule": (["optimizer.schedule=null"], "optimizer.schedule=null: must be of the class RateSchedule"),
    "a list for a mapping": (["drift=critic", "drift.optimizer=[a]"], "drift.optimizer=[a]: must be a mapping"),
    "no paths": (["paths=null"], "paths=null: must be a mapping; give its fields: paths.root"),
    "no paths in a sweep": (["-m", "paths=null", "seed=0,1"], "paths=null: must be a mapping; give its fields"),
    "a number for a folder": (["paths.root=5"], "paths.root=5: must be a folder, e.g. paths.root=./5"),
    "no seed": (["~seed"], "seed=null: must be an integer"),
    "a field taken away": (["~training.eta"], "training.eta: is missing; give it a value; the default is"),
    "what another key refers to": (["~training.batch_size"], "training.n_targets: "),
    "unknown key of sweep": (["+sweep.fail_fats=true"], "sweep.fail_fats=true: unknown; did you mean fail_fast?"),
    "unknown key of tracking": (["+tracking.wandb.project_name=a"], "unknown; did you mean project?"),
    "one tag": (["tracking.wandb.tags=abc"], "must be a list of words"),
    "a number for a project": (["tracking.wandb.project=5"], "tracking.wandb.project=5: must be a name"),
    "a line before the last one": (["tracking.line_every=-1"], "must be a number of seconds from 0"),
    "a class of another kind": (["generator._target_=gmdwgf.optim.schedules.Constant"], "generator"),
    "no class": (["~drift._target_"], "drift"),
    "an equals sign in a value": (
        ["paths.root=r/a=b"],
        """put the value in quotes, and all of it for the shell: 'paths.root="r/a=b"'""",
    ),
    "several values without a sweep": (["training.n_steps=1,2"], "-m training.n_steps=1,2 runs one after the other"),
    "no value": (["training.n_steps"], "write training.n_steps=VALUE"),
    "a variable that is not there": (["seed=${oc.env:NOT_THERE}"], "seed: Environment variable 'NOT_THERE' not found"),
    "what is not there taken away": (["~training.etas"], "~training.etas: unknown; did you mean eta?"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMED)
def test_what_makes_no_sense_is_answered_with_what_to_write(name, cli, tmp_path):
    arguments, expected = NAMED[name]
    answer = Answer(*cli(*arguments, "--dry"))
    key = re.sub(r"^\W+", "", arguments[-1] if arguments[0] != "-m" else arguments[1]) or "KEY"
    assert not problems(Case(arguments, key.partition("=")[0], name), answer), answer
    assert expected in answer.err
    assert not list(tmp_path.iterdir())


_N = 2 + machine_bytes() // 4  # more numbers than this machine can keep

TOO_LARGE = {
    "points of many numbers": (
        ["dataset=array", "dataset.path=wide.npy", f"training.batch_size={_N // 1000 + 1}"],
        "its points",
    ),
    "held-out points": (
        ["dataset=array", "dataset.path=wide.npy", f"metrics.n_samples={_N // 1000 + 1}"],
        "its points",
    ),
    "pairs of a matching": (
        [f"metrics.n_samples={math.isqrt(_N)}", f"metrics.n_assignment={math.isqrt(_N)}"],
        "the costs of all pairs",
    ),
    "parameters": ([f"generator.width={math.isqrt(_N)}"], "parameters and their average"),
    "a critic": (["drift=critic", f"drift.width={math.isqrt(_N)}"], "its state"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_this_machine_cannot_keep_is_refused_with_its_bytes(name, cli, tmp_path):
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(20, 1000)))
    arguments, what = TOO_LARGE[name]
    answer = Answer(*cli(*arguments, "--dry"))
    assert not problems(Case(arguments, arguments[-1].partition(".")[0], name), answer), answer
    assert re.search(rf"would need \d\S* bytes for .*{what} alone, and this machine has \d", answer.err)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("kl", {"bandwidth": True}, "drift.bandwidth=true: must be a number"),
        ("kl", {"bandwidth": "wide"}, "drift.bandwidth=wide: must be a number"),
        ("kl", {"bandwidth": None}, "drift.bandwidth=null: must be a number"),
        ("kl", {"bandwidth": 1e300}, r"drift.bandwidth=1e\+300: must be 0 or from"),
        ("kl", {"bandwidth": 1e-40}, "drift.bandwidth=1e-40: must be 0 or from"),
        ("kl", {"self_term": 5}, "drift.self_term=5: must be one of keep"),
        ("sharp", {"kernel": ["laplace"]}, "drift.kernel=.*: must be one of"),
        ("sliced_mmd", {"n_projections": 10**20}, r"drift.n_projections=1\d+: would need 4e\+20 bytes"),
        ("sliced_mmd", {"n_projections": 16.5}, "drift.n_projections=16.5: must be an integer"),
        ("critic", {"depth": 10**6}, "drift.depth=1000000: must be at most 1000"),
        ("critic", {"optimizer": None}, "drift.optimizer=null: must be of the class AbstractOptimizer"),
        ("sum", {"drifts": None}, "drift.drifts=null: must be a list of drifts"),
        ("deng", {"self_mask": 1}, "drift.self_mask=1: must be true or false"),
        ("deng", {"temperature": [0.1, 1e300]}, "drift.temperature=.*: must be 0 or from"),
    ],
)
def test_a_drift_made_in_python_is_held_to_the_same_bounds(name, fields, said):
    with pytest.raises(ConfigError, match=said):
        gmdwgf.load_drift(name, **fields)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("eight_gaussians", {"n_modes": 10**12}, "dataset.n_modes=1000000000000: would need 4e"),
        ("eight_gaussians", {"n_modes": True}, "dataset.n_modes=true: must be an integer"),
        ("eight_gaussians", {"noise": float("nan")}, "dataset.noise=nan: must be finite"),
        ("pinwheel", {"scale": 1e20}, r"dataset.scale=1e\+20: must be from 1e-18"),
        ("gaussian", {"mean": None}, "dataset.mean=null: must be a"),
        ("gaussian", {"covariance": [[1, 2], [3]]}, "dataset.covariance=.*: must be 2 lists"),
    ],
)
def test_a_target_made_in_python_is_held_to_the_same_bounds(name, fields, said):
    with pytest.raises(ConfigError, match=said):
        gmdwgf.load_target(name, **fields)
