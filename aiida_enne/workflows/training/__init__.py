"""Training of one member, and of an ensemble."""
