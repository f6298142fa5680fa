"""How many threads small matrix products may use."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_blas_thread() -> AbstractContextManager[object]:
    """Within it BLAS uses one thread.

    For many small products in a row: handing each to several threads costs more than it gives, and where
    other processes want the cores the waiting threads spin; a probe of 500 items was then seen to take 6 s in
    place of 0.1 s. Entering costs about 3 ms.
    """
    return threadpool_limits(limits=1, user_api="blas")
