"""Configurations, splits of them, and how they are cut for labelling."""
