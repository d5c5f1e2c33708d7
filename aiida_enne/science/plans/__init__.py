"""What a study runs, before anything runs: tasks, stages, scans, training sets and their cost."""
