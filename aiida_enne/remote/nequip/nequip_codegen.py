"""Members of one architecture share the code that e3nn generates for it.

Generating it takes most of the time in which a model is built; it depends neither on weights nor
on seeds. These are private functions of e3nn 0.5 and 0.6: where they have gone, models are built
as slowly as before.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch

FUNCTIONS = (
    ('e3nn.o3._linear', '_codegen_linear'),
    ('e3nn.math._normalize_activation', 'moment'),
)
PROVIDERS = ('e3nn.o3._tensor_product._tensor_product', '_CODEGEN_PROVIDERS_LEFT_RIGHT')


def share_generated_code() -> None:
    """Remember generated code by what it was generated for, from now on."""
    for path, name in FUNCTIONS:
        module = importlib.import_module(path)
        if hasattr(module, name):
            setattr(module, name, _remember(getattr(module, name)))
    module = importlib.import_module(PROVIDERS[0])
    providers = getattr(module, PROVIDERS[1], [])
    providers[:] = [_remember(provider) for provider in providers]


def _remember(function: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(function, 'known'):
        return function

    def call(*args: Any, **kwargs: Any) -> Any:
        named = [
            arg if callable(arg) and not isinstance(arg, torch.nn.Module) else repr(arg)
            for arg in args
        ]
        key = (*named, repr(sorted(kwargs.items())), torch.get_default_dtype())
        if key not in known:
            known[key] = function(*args, **kwargs)
        return known[key]

    known: dict[Any, Any] = {}
    call.known = known  # type: ignore[attr-defined]
    return call
