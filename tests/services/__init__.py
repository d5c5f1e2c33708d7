"""Tests on real services: PostgreSQL, RabbitMQ, SLURM over SSH, all on loopback, all temporary."""
