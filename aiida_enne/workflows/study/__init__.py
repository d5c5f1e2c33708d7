"""The whole paper: relaxations by the reference, scans of hyperparameters, and the study."""
