"""Scripts that jobs run, where this package and AiiDA are absent."""

from importlib.resources import files


def read_script(name: str) -> str:
    """Return the text of a script; those of one program lie in a folder of its name."""
    return files(__name__).joinpath(name.partition('_')[0], name).read_text()
