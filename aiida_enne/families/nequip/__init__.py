"""NequIP: its parameters, and what its jobs read and write."""
