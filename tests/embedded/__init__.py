"""Tests on what AiiDA brings along: SQLite, its own broker, a daemon; no services."""
