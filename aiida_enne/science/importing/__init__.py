"""Files of others: read and check every frame, name what is wrong, and only then join."""
