"""What parsers share: the files that were retrieved, as text."""

from aiida.parsers import Parser


class TextParser(Parser):
    """A parser that reads texts, whatever is in them."""

    def text(self, name: str) -> str:
        """Return a file as text, whatever is in it.

        Raises:
            FileNotFoundError: If it is not there.
        """
        content = self.retrieved.base.repository.get_object_content(name, mode='rb')
        return bytes(content).decode(errors='replace')

    def tail(self) -> str:
        """Return the last lines of the output, which say why nothing was left."""
        try:
            lines = self.text(str(self.node.get_option('output_filename'))).splitlines()
        except FileNotFoundError:
            return 'there is none'
        return ' / '.join(lines[-3:])
