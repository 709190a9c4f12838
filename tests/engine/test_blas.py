"""One thread for LAPACK, unless the user chose a number."""

import pytest
from threadpoolctl import threadpool_info

from gmdwgf.engine.blas import one_blas_thread, within_one_blas_thread


def test_the_environment_of_a_user_is_left_alone():
    for given in ({"OPENBLAS_NUM_THREADS": "4"}, {"OMP_NUM_THREADS": "3"}):
        environment = dict(given)
        one_blas_thread(environment)
        assert environment == given
    environment = {}
    one_blas_thread(environment)
    assert environment == {"OPENBLAS_NUM_THREADS": "1"}


def test_a_loaded_blas_has_one_thread_inside_and_its_own_number_afterwards(monkeypatch):
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    threads = lambda: {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    if not threads():
        pytest.skip("this machine has no BLAS that threadpoolctl knows")
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with within_one_blas_thread():
            assert threads() == {1}
        assert threads() == before
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        with within_one_blas_thread():
            assert threads() == before
