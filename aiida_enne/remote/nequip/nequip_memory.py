"""Recognises a lack of memory, keeps what is freed, and looks for no garbage in vain."""

import contextlib
import ctypes
import gc
from collections.abc import Iterator

import torch

#: How torch, CUDA, its libraries, C++ and the system say it where they have no exception for it.
MARKERS = (
    'out of memory',
    'cannot allocate memory',
    "can't allocate memory",
    'cublas_status_alloc_failed',
    'cudnn_status_alloc_failed',
    'std::bad_alloc',
)
#: Numbers of glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, and values that let it keep memory.
KEPT_MEMORY = ((-3, 32 << 20), (-1, 2**31 - 1))


def keep_memory() -> None:
    """Let the C library keep freed memory: many members would fetch it anew in every step."""
    set_option = getattr(ctypes.CDLL(None), 'mallopt', None)
    if set_option is not None:
        for option, value in KEPT_MEMORY:
            set_option(option, value)


@contextlib.contextmanager
def no_garbage() -> Iterator[None]:
    """Look for no garbage while things are built that stay: that takes a second of some five."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def is_out_of_memory(exception: BaseException) -> bool:
    """Return whether an exception, or one that it came from, says that memory was lacking."""
    seen: BaseException | None = exception
    while seen is not None:
        text = str(seen).lower()
        if isinstance(seen, (MemoryError, torch.OutOfMemoryError)):
            return True
        if isinstance(seen, (RuntimeError, OSError)) and any(mark in text for mark in MARKERS):
            return True
        seen = seen.__cause__ or seen.__context__
    # Hydra puts what a class raised into the text of an exception of its own
    return type(exception).__name__ == 'InstantiationException' and any(
        mark in str(exception).lower() for mark in MARKERS
    )
