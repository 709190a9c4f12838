"""Change the mathematics and the loops one place at a time, and see which changes no test notices.

    python -m scripts.mutants                    # every file of the table
    python -m scripts.mutants kl kernels         # only these
    python -m scripts.mutants optim targets/toy  # a room, a file of a room
    python -m scripts.mutants --list             # what is left alone, and why
    python -m scripts.mutants optim --count      # how many changes there are, without running any

The changes are those of `mutations.py`. A mutant survives when the tests of its file still pass with it: tests/drifts/test_<name>.py
for a drift, those of TESTS for every other file. They run quickest first, the one that failed last before all, and stop at the first
that fails. A line is left alone with the comment `# no mutants: <reason>`.
"""

import argparse
import functools
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path

from scripts.mutations import exempted, mutated, sites

ROOT = Path(__file__).resolve().parents[1]
AFFINITY = ("deng", "deng_released", "sinkhorn_proxy", "sinkhorn_steps", "wflow")
TESTS = {
    "drifts/affinity": [f"drifts/test_{name}" for name in AFFINITY],
    "drifts/affinity_of_all": ["drifts/test_landmarks"],
    "drifts/inner_steps": ["drifts/test_critic", "drifts/test_dmmd"],
    "drifts/landmarks": ["drifts/test_landmarks"],
    "drifts/parzen": [f"drifts/test_{name}" for name in ("kernel_score", "blob", "f_divergence", "sharp")],
    "drifts/witness": [f"drifts/test_{name}" for name in ("mmd", "drmmd", "kale")],
    "drifts/wrappers/classwise": ["drifts/wrappers/test_class_draws", "drifts/wrappers/test_classwise"],
    "drifts/wrappers/feature_space": ["drifts/wrappers/test_feature_space"],
    "drifts/wrappers/lookahead": ["drifts/wrappers/test_lookahead"],
    "drifts/wrappers/noise_injection": ["drifts/wrappers/test_noise_injection"],
    "drifts/wrappers/reference_batch": ["drifts/wrappers/test_reference_batch"],
    "drifts/wrappers/nystrom": ["drifts/test_landmarks"],
    "drifts/wrappers/sum": ["drifts/wrappers/test_sum"],
    "metrics/geodesic": ["manifolds/test_training"],
    "metrics/floors": ["metrics/test_floors", "metrics/test_metric_suite"],
    "metrics/mmd": ["metrics/test_unbiased_mmd"],
    "metrics/modes": ["metrics/test_modes"],
    "metrics/pictures": ["metrics/test_picture_metrics", "metrics/test_pictures_in_the_suite"],
    "metrics/suite": ["metrics/test_metric_suite", "metrics/test_pictures_in_the_suite"],
    "metrics/wasserstein": ["metrics/test_exact_and_sliced_w2"],
    "optim/optimizers": ["optim/test_optimizers"],
    "optim/schedules": ["optim/test_schedules"],
    "pairs/kernels": ["pairs/test_log_kernels", "drifts/test_sharp", "drifts/test_mmd", "drifts/test_kernel_score"],
    "pairs/reductions": ["pairs/test_reductions", "drifts/test_kl", "drifts/test_mmd", "transport/test_transport"],
    "pairs/sharding": ["engine/test_devices"],
    "pairs/slicing": ["pairs/test_reductions", "drifts/test_sliced_mmd", "drifts/test_sliced_wasserstein"],
    "targets/absent": ["launch/test_loading"],
    "targets/array_notes": ["targets/test_arrays"],
    "targets/arrays": ["targets/test_arrays"],
    "targets/base": ["targets/test_target_laws"],
    "targets/energies": ["targets/test_energies", "targets/test_target_laws"],
    "targets/cities": ["targets/test_cities"],
    "targets/functions": ["launch/test_fit"],
    "targets/latents": ["targets/test_latents", "targets/test_target_laws"],
    "targets/mixtures": [
        "targets/test_mixtures",
        "targets/test_densities",
        "targets/test_spheres",
        "targets/test_target_laws",
    ],
    "targets/spheres": ["targets/test_spheres"],
    "targets/standardisation": ["launch/test_scale_law", "targets/test_arrays"],
    "targets/torus": ["targets/test_torus"],
    "targets/toy": ["targets/test_toy", "targets/test_densities", "targets/test_target_laws"],
    "training/all_data": ["training/test_all_data"],
    "training/batch": [
        "training/test_random_keys",
        "drifts/wrappers/test_class_draws",
        "drifts/wrappers/test_classwise",
    ],
    "training/ema": ["training/test_ema", "training/test_step"],
    "training/problem": [
        "training/test_random_keys",
        "drifts/wrappers/test_class_draws",
        "drifts/wrappers/test_classwise",
    ],
    "training/state": ["training/test_random_keys", "training/test_step"],
    "training/step": ["training/test_health", "training/test_random_keys", "training/test_step"],
    "transport/costs": ["transport/test_transport"],
    "transport/iterations": ["transport/test_transport"],
    "transport/maps": ["transport/test_transport", "drifts/test_sinkhorn", "drifts/test_sinkhorn_steps"],
    "transport/newton": ["transport/test_transport"],
    "transport/ott": ["transport/test_transport"],
    "transport/plans": ["transport/test_transport"],
    "transport/problem": ["transport/test_transport"],
    "transport/solvers": ["transport/test_transport"],
}
"""Files, and the tests that must notice a change of them; the drifts that are not named have the tests of their name."""
ROOMS = ("metrics", "optim", "pairs", "targets", "training", "transport")
"""Rooms all of whose files must be in the table, where they offer a change."""


def survives(module: Path, tests: list[str], cpu_seconds: int, index: int) -> str | None:
    """Run the tests against one mutant in a process of its own; what was changed if they all pass.

    The test that failed last comes first for the next mutant, which is mostly one of the same lines.
    """
    source, what = mutated(module.read_text(), index)
    code, seconds = run(module, source, list(tests), cpu_seconds)
    if code == 0:
        return what
    if code == 1:  # a test failed, the last that ran
        tests.sort(key=list(seconds)[-1].__ne__)
    return None


def run(module: Path, source: str, tests: list[str], cpu_seconds: int) -> tuple[int, dict[str, float]]:
    """Exit code of `tests` with `module` made of `source`, in a process of its own, and the seconds of each test that ran."""
    with tempfile.NamedTemporaryFile("r") as report:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))  # a mutant may never converge
            try:
                os._exit(_run_child(module, source, tests, Path(report.name)))
            finally:
                os._exit(3)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return code, json.loads(report.read() or "{}")


def _run_child(module: Path, source: str, tests: list[str], report: Path) -> int:
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import pytest

    watch = _Stopwatch()
    options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--rootdir", str(ROOT)]
    code = pytest.main([*tests, *options], plugins=[_Loader(name, module, source), watch])
    report.write_text(json.dumps(watch.seconds))
    met = isinstance(getattr(sys.modules.get(name), "__loader__", None), _Loader)
    return int(code) if met else 4  # tests that never import the mutant say nothing


class _Stopwatch:
    """Seconds of every test, by its id."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration


class _Loader(MetaPathFinder, Loader):
    """Imports one module from changed source; a plugin of pytest."""

    def __init__(self, name: str, path: Path, source: str):
        self.name, self.path, self.source = name, path, source

    def pytest_collection(self) -> None:
        sys.meta_path.insert(0, self)  # before the import hook of tests/conftest.py, which puts itself first

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self, origin=str(self.path)) if name == self.name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def table() -> dict[Path, list[str]]:
    """Files with their tests."""
    own = {
        f"drifts/{file.stem.removeprefix('test_')}": [f"drifts/{file.stem}"]
        for file in sorted(ROOT.glob("tests/drifts/test_*.py"))
    }
    files = {ROOT / "gmdwgf" / f"{name}.py": tests for name, tests in (own | TESTS).items()}
    return {file: [f"tests/{test}.py" for test in tests] for file, tests in files.items() if file.is_file()}


def asked_for(names: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """The files of the table that are named: by stem, by path, or by a room they are in. All of them without names."""
    for module, tests in table().items():
        path = module.relative_to(ROOT / "gmdwgf").with_suffix("")
        if not names or {module.stem, *map(str, (path, *path.parents))} & {name.strip("/") for name in names}:
            yield module, tests


def arguments() -> argparse.Namespace:
    """What is asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="files, without .py, or rooms (default: all)")
    parser.add_argument("--list", action="store_true", help="show the lines that are left alone, with their reasons")
    parser.add_argument("--count", action="store_true", help="count the changes and run none")
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count(), help="mutants at a time (default: one a core)"
    )
    return parser.parse_args()


def prepare() -> None:
    """Settings of the tests, and imports that forked children share; no device is touched before the fork."""
    os.chdir(ROOT)
    for name, value in {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "8",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
        "JAX_COMPILATION_CACHE_DIR": str(Path(tempfile.gettempdir()) / "gmdwgf-mutants-xla"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }.items():
        os.environ.setdefault(name, value)
    import hydra, optax, ott.solvers.linear.sinkhorn, pytest  # noqa: E401, F401, I001


def survivors(module: Path, tests: list[str], n_jobs: int) -> Iterator[str]:
    """The changes of one file that its tests do not notice."""
    before = _cpu_seconds()
    code, seconds = run(module, module.read_text(), tests, 3600)
    if code:
        sys.exit(f"{' '.join(tests)} fail without any change of {module.stem}.py")
    order, limit = sorted(seconds, key=seconds.__getitem__), 20 + int(3 * (_cpu_seconds() - before))
    indices = range(len(sites(module.read_text())))
    with ThreadPoolExecutor(max_workers=n_jobs) as pool:
        yield from filter(None, pool.map(functools.partial(survives, module, order, limit), indices))


def _cpu_seconds() -> float:
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Report every mutant that survives; the exit code says whether there was one."""
    asked = arguments()
    if not asked.list and not asked.count:
        prepare()
    total = surviving = 0
    for module, tests in asked_for(asked.names):
        name, source, start = module.relative_to(ROOT / "gmdwgf").with_suffix(""), module.read_text(), time.monotonic()
        if asked.list:
            for number, code, reason in exempted(source):
                print(f"{name}:{number}: {code}: {reason or 'as above'}")
        elif n := len(sites(source)):
            print(f"{name}: {n} mutants", flush=True)
            total += n
            for what in () if asked.count else survivors(module, tests, asked.jobs):
                surviving += 1
                print(f"    {what}", flush=True)
            if not asked.count:
                print(f"    {time.monotonic() - start:.0f} s", flush=True)
    if not asked.list:
        print(f"{total} mutants" if asked.count else f"{total} mutants, {surviving} survive")
    return 1 if surviving else 0


if __name__ == "__main__":
    sys.exit(main())
