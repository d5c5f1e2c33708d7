"""Pure science: arrays in, arrays out; no database, no neural network."""
