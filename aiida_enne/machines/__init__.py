"""Computers and codes: setup files, schedulers, and what a Python there has."""
