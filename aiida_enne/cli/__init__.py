"""The command line: launch, status, report, share."""
