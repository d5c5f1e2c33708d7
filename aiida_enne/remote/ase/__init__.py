"""Scripts that are uploaded with jobs of the ASE engine."""
