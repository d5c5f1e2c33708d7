"""Node: a NequIP package that members of an ensemble can be fine-tuned from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Self

from aiida_enne import families
from aiida_enne.data.npz import FileData
from aiida_enne.families.nequip.package import read_package
from aiida_enne.families.nequip.starting import PACKAGE


class BaseModelData(FileData):
    """A package as it was given, known by the digest of the file; equal file, equal hash.

    Attributes to query by: `sha256`, `family`, `elements`, `r_max`, `versions`, `model`.
    """

    FILENAME = PACKAGE
    #: What the file was called is not part of its identity.
    _hash_ignored_attributes = ('source',)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Create an unstored node.

        Raises:
            ValueError: If the file is no NequIP package, or of a family that is not known.
            OSError: If it cannot be read.
        """
        found = read_package(path)
        family = families.of_target(str(found.model.get('_target_', '')))
        content = path.read_bytes()
        node = cls()
        node.base.repository.put_object_from_bytes(content, cls.FILENAME)
        node.base.attributes.set_many(
            {
                'sha256': hashlib.sha256(content).hexdigest(),
                'source': path.name,
                'family': family.name,
                'elements': found.elements,
                'r_max': found.model.get('r_max'),
                'versions': found.versions,
                'model': found.model,
            }
        )
        return node

    @property
    def family(self) -> str:
        """Name of its family of models."""
        return str(self.base.attributes.get('family'))

    @property
    def elements(self) -> list[str]:
        """Names of its types, in its order."""
        return list(self.base.attributes.get('elements'))

    def get_model(self) -> dict[str, Any]:
        """Return the builder of its model, with all settings."""
        return dict(self.base.attributes.get('model'))

    def get_description(self) -> str:
        """Return what a graph shows: family, elements, and which file it was."""
        attributes = self.base.attributes.all
        return f'{self.family}, {" ".join(self.elements)}, {attributes["source"]}'
