"""Node types: what the provenance graph stores."""
