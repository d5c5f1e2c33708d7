"""`python -m aiida_enne` is the command `aiida-enne`."""

from aiida_enne.cli.main import main

main()
