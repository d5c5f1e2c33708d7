"""Parsers: from the retrieved files of a job to nodes and a verdict."""
