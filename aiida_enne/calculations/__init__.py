"""Calculation jobs, and the calculation functions that run beside the database."""
