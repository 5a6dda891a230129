"""Measurements. Each prints a table and JSON, beside a baseline of the same run."""
