"""Options as frozen dataclasses: read from plain values by name, each value checked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any, Self

Check = Callable[[str, Any], Any]


def option(check: Check, default: Any = MISSING) -> Any:
    """Return a field whose value is checked; one that is None by default may be left out.

    Args:
        check: From the name and the value to the value that is kept, see `science.checks`.
        default: Value where nobody gives one; without it the option is needed.
    """
    return field(default=default, metadata={'check': check})


class Options:
    """Base of frozen dataclasses whose fields are made by `option`."""

    def __post_init__(self) -> None:
        for item in _options(type(self)):
            value = getattr(self, item.name)
            if value is not None or item.default is not None:
                object.__setattr__(self, item.name, item.metadata['check'](item.name, value))

    @classmethod
    def from_dict(cls, given: Any, what: str) -> Self:
        """Return the options of plain values.

        Args:
            given: Values by name.
            what: Whose options they are, for messages: 'stage 2'.

        Raises:
            ValueError: If a name is unknown or missing, or a value cannot be used.
        """
        if not isinstance(given, Mapping):
            raise ValueError(f'{what} must be a mapping, got {given!r}')
        known = {item.name: item for item in _options(cls)}
        refuse_unknown(what, given, known)
        needed = [name for name, item in known.items() if item.default is MISSING]
        if missing := [name for name in needed if name not in given]:
            raise ValueError(f'{what}: {", ".join(missing)} must be given')
        try:
            return cls(**given)
        except ValueError as exception:
            raise ValueError(f'{what}: {exception}') from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values by name; what nobody gave and has no default is left out."""
        values = {item.name: getattr(self, item.name) for item in _options(type(self))}
        return {name: _plain(value) for name, value in values.items() if value is not None}


def refuse_unknown(what: str, given: Iterable[Any], known: Collection[str]) -> None:
    """Refuse names that are not known.

    Raises:
        ValueError: If there is one; the message names the nearest known one.
    """
    if unknown := sorted({str(name) for name in given} - set(known)):
        expected = ', '.join(known) or 'no options'
        hint = nearest(unknown[0], known)
        raise ValueError(f'{what}: unknown {", ".join(unknown)}{hint}; expected {expected}')


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that is most like a misspelt one; it may be empty."""
    lower = {str(one).lower(): one for one in known}
    close = difflib.get_close_matches(str(name).lower(), lower, 1)
    return f' (did you mean `{lower[close[0]]}`?)' if close else ''


def _options(cls: type) -> list[Any]:
    return [item for item in fields(cls) if 'check' in item.metadata]


def _plain(value: Any) -> Any:
    if isinstance(value, Options):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value
