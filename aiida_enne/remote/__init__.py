"""Scripts uploaded with a job: they run where this package is not installed."""
