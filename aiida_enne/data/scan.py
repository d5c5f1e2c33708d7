"""Node: what a scan of training choices consists of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_enne.science.checks import one_of
from aiida_enne.science.plans.points import Trained
from aiida_enne.science.plans.scans import KINDS


class ScanData(orm.Data):
    """Ensembles that differ in one or two choices; equal content, equal hash.

    Attributes: `kind`; `points` by label, each with `values` of the choices, `n_train` and the
    weights of its `members`; `roles`, the digests of the datasets that all members predicted;
    `sha256` of all that.
    """

    @classmethod
    def from_points(
        cls, kind: str, points: Mapping[str, Trained], roles: Mapping[str, str]
    ) -> Self:
        """Create an unstored node.

        Args:
            kind: One of `science.plans.scans.KINDS`.
            points: By label.
            roles: Digests of datasets by role.
        """
        content = {
            'kind': kind,
            'points': {label: point.to_dict() for label, point in points.items()},
            'roles': dict(roles),
        }
        node = cls()
        node.base.attributes.set_many(content | {'sha256': _digest(content)})
        return node

    @property
    def kind(self) -> str:
        """One of `science.plans.scans.KINDS`."""
        return str(self.base.attributes.get('kind'))

    @property
    def points(self) -> dict[str, Trained]:
        """The points by label."""
        given = self.base.attributes.get('points')
        return {label: Trained.from_dict(one, label) for label, one in given.items()}

    @property
    def roles(self) -> dict[str, str]:
        """Digests of the datasets that all members predicted, by role."""
        return dict(self.base.attributes.get('roles'))

    @property
    def sha256(self) -> str:
        """Digest of the content."""
        return str(self.base.attributes.get('sha256'))

    def get_description(self) -> str:
        """Return what a graph shows: kind, points and members."""
        points = self.points.values()
        members = sum(len(one.members) for one in points)
        return f'{self.kind}: {members} members at {len(points)} points'

    def _validate(self) -> bool:
        super()._validate()
        content: dict[str, Any] = {
            name: self.base.attributes.get(name, None) for name in ('kind', 'points', 'roles')
        }
        try:
            one_of('kind of a scan', content['kind'], KINDS)
            if not content['points'] or not isinstance(content['roles'], dict):
                raise ValueError('a scan needs `points`, at least one, and `roles`')
            _ = self.points
        except ValueError as exception:
            raise ValidationError(str(exception)) from None
        if _digest(content) != self.sha256:
            raise ValidationError('the content is not the one that `sha256` describes')
        return True


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
