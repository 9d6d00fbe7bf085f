"""How many threads numpy's and scipy's linear algebra takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Linear algebra in the caller's thread alone, in the whole process, while the context lasts.

    The matrices of the kinds are small. OpenBLAS wakes a thread for each core for them, which then spins until the next
    one comes: a master took 10 to 18 CPU-seconds so, and takes 5 without. torch and OpenVINO have pools of their own.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
