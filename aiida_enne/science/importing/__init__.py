"""Files of others: read, check every frame, name what is wrong, and only then gather."""
