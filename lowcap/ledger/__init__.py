"""The append-only record of everything that happened, and its replay."""
