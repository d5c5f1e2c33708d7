"""Reference calculations with restarts."""
