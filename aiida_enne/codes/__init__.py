"""Codecs: what each external program reads and writes, as plain text and arrays."""
