"""Holds a configuration against what its targets really take; run alone, it reads JSON.

Every mapping with a `_target_` becomes a call: a key that the called function or class does not
take is misspelt, and is named with its place and the nearest key.
"""

import difflib
import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any

#: Keys of Hydra, and those that NequIP takes out of a model before it calls its builder.
HYDRA = ('_target_', '_recursive_', '_convert_', '_partial_', '_args_')
BUILDER = ('seed', 'model_dtype', 'type_names', 'compile_mode')
#: Sections that NequIP gives to their targets together with arguments of its own.
SECTIONS = ('run', 'data', 'trainer', 'training_module', 'global_options')
LIKE_A_SECTION = 0.6


def complaint(config: dict[str, Any]) -> str:
    """Return which keys nothing takes and which targets do not exist; empty where all is well."""
    sections = [name for name in config if name not in SECTIONS]
    found = [
        f'`{name}` looks like `{close[0]}`'
        for name in sections
        if (close := difflib.get_close_matches(name, SECTIONS, 1, LIKE_A_SECTION))
    ]
    for place, mapping in targets(config, ''):
        try:
            known = arguments(str(mapping['_target_']))
        except Exception as exception:  # importing may raise whatever the module does
            said = ' '.join(str(exception).split())
            found.append(f'`{place}_target_` {mapping["_target_"]} cannot be imported: {said}')
            continue
        if known is None:
            continue
        for key in sorted(set(mapping) - set(HYDRA) - known):
            close = difflib.get_close_matches(key, known, 1)
            hint = f', did you mean `{close[0]}`?' if close else f'; it takes {sorted(known)}'
            found.append(f'`{place}{key}` is not known to {mapping["_target_"]}{hint}')
    return '; '.join(found)


def targets(config: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield mappings that are called, with their places."""
    if isinstance(config, dict):
        if '_target_' in config:
            yield place, config
        for name, value in config.items():
            yield from targets(value, f'{place}{name}.')
    elif isinstance(config, (list, tuple)):
        for index, value in enumerate(config):
            yield from targets(value, f'{place}{index}.')


def arguments(path: str) -> set[str] | None:
    """Return the keywords that a target takes; None where they cannot be known."""
    from hydra.utils import get_object

    target = get_object(path)
    if not inspect.isclass(target):
        return of_builder(inspect.unwrap(target))
    found: set[str] = set()
    for one in target.__mro__:
        if '__init__' in vars(one) and one is not object:
            parameters = inspect.signature(vars(one)['__init__']).parameters.values()
            found |= named(parameters)
            if not takes_anything(parameters):
                return found - {'self'}
    return found - {'self'} if path.startswith(('nequip.', 'allegro.')) else None


def of_builder(function: Any) -> set[str] | None:
    """Return the keywords of a function; those of a model's builder go on to the full builder."""
    parameters = inspect.signature(function).parameters.values()
    if not takes_anything(parameters):
        return named(parameters) | ({*BUILDER} if is_builder(function) else set())
    module = inspect.getmodule(function)
    full = getattr(module, f'Full{function.__name__}', None)
    if full is None:
        return None
    inner = of_builder(inspect.unwrap(full))
    return None if inner is None else inner | named(parameters) | {*BUILDER}


def is_builder(function: Any) -> bool:
    """Return whether a function builds a model."""
    return '.model' in str(function.__module__)


def named(parameters: Any) -> set[str]:
    """Return the names of parameters that can be given by keyword."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {parameter.name for parameter in parameters if parameter.kind in kinds}


def takes_anything(parameters: Any) -> bool:
    """Return whether there are `**kwargs`."""
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)


if __name__ == '__main__':
    print(complaint(json.load(sys.stdin)))
