"""Recognises a lack of memory, which smaller batches avoid, and looks for no garbage in vain."""

import contextlib
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
