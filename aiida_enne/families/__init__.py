"""Model families: one folder each, with all that the package knows of its trainer."""
