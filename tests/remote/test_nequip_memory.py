"""Tests for telling a lack of memory from other failures, on errors that torch really raises."""

import errno
import importlib
import os
from importlib.resources import files

import pytest
import torch
from hydra.utils import instantiate


@pytest.fixture
def lacks_memory(monkeypatch):
    """Return the function as a job imports it."""
    monkeypatch.syspath_prepend(str(files('aiida_enne.remote.nequip')))
    return importlib.import_module('nequip_memory').is_out_of_memory


def raised(function):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function()
    return caught.value


def chained():
    try:
        torch.empty(2**50)
    except RuntimeError as exception:
        raise ValueError('no model') from exception


@pytest.mark.parametrize(
    'function',
    [
        lambda: torch.empty(2**50),  # a plain RuntimeError on CPUs
        lambda: bytearray(2**62),
        lambda: instantiate({'_target_': 'torch.empty', '_args_': [2**50]}),
        chained,
    ],
)
def test_real_errors_for_want_of_memory(lacks_memory, function):
    assert lacks_memory(raised(function))


@pytest.mark.parametrize(
    'exception',
    [
        torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.'),
        RuntimeError('CUDA error: out of memory'),
        RuntimeError('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`'),
        RuntimeError('std::bad_alloc'),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_how_gpus_say_it(lacks_memory, exception):
    assert lacks_memory(exception)


@pytest.mark.parametrize(
    'function',
    [
        lambda: torch.zeros(2) @ torch.zeros(3),
        lambda: instantiate({'_target_': 'torch.empty', '_args_': ['many']}),
        lambda: open('/no/file'),  # noqa: PTH123, SIM115
    ],
)
def test_other_errors_are_others(lacks_memory, function):
    assert not lacks_memory(raised(function))


def test_a_value_that_speaks_of_memory_is_no_want_of_it(lacks_memory):
    assert not lacks_memory(ValueError('label `out of memory` is unknown'))
