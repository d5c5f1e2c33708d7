"""What nodes of one file share: hashed by content, attributes to query by; arrays as `.npz`."""

from collections.abc import Iterable
from typing import Any, ClassVar

from aiida import orm
from aiida.common.exceptions import ValidationError

from aiida_enne.science import npz


class FileData(orm.Data):
    """One file, known by the digest of its content."""

    FILENAME: ClassVar[str]

    @property
    def sha256(self) -> str:
        """Digest of the content: its identity."""
        return str(self.base.attributes.get('sha256'))

    def _validate(self) -> bool:
        super()._validate()
        if self.FILENAME not in self.base.repository.list_object_names():
            raise ValidationError(f'{type(self).__name__} holds no `{self.FILENAME}`')
        return True


class NpzData(FileData):
    """Named arrays in one standard `.npz` file; equal content, equal hash."""

    #: Attributes that say where the content came from and are not part of its identity.
    _hash_ignored_attributes = ('source',)

    def set_arrays(self, arrays: npz.Arrays, attributes: dict[str, Any]) -> None:
        """Store the arrays, their digest and the attributes derived from them."""
        self.base.repository.put_object_from_bytes(npz.dumps(arrays), self.FILENAME)
        self.base.attributes.set_many({'sha256': npz.digest(arrays)} | attributes)

    def get_arrays(self, names: Iterable[str] | None = None) -> npz.Arrays:
        """Read all arrays, or those named.

        Raises:
            ValueError: If the file is damaged or lacks an array that is named.
        """
        content = self.base.repository.get_object_content(self.FILENAME, mode='rb')
        return npz.loads(content, names)
