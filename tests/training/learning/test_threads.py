import sklearn.linear_model  # noqa: F401 (loads BLAS)
from threadpoolctl import threadpool_info

from training.learning.threads import one_blas_thread


def _threads():
    return [entry["num_threads"] for entry in threadpool_info() if entry["user_api"] == "blas"]


def test_it_leaves_blas_one_thread_and_gives_the_others_back():
    before = _threads()
    with one_blas_thread():
        assert set(_threads()) == {1}
    assert _threads() == before
