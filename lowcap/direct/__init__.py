"""Stopping without the daemon: blocking, the standard library, and the pure cores it needs."""
