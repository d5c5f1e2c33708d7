"""Improvement of an ensemble: choose, label, train, and say whether the choice beat chance."""
