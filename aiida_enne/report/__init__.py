"""The report: figures, tables and sentences of an audit, on one self-contained page."""
