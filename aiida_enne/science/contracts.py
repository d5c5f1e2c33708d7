"""What the contracts of all that is registered have in common."""

from __future__ import annotations


class ContractError(Exception):
    """What is registered does not keep the contract of its kind."""


def require(kept: bool, message: str) -> None:
    """Raise a `ContractError` with the message unless the contract is kept."""
    if not kept:
        raise ContractError(message)
