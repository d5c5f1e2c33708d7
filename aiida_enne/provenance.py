"""From the provenance graph to plain tables and arrays: every read is a query, no job is run."""
