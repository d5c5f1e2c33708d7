"""Scripts that are uploaded with jobs of NequIP's trainer and of predictions."""
