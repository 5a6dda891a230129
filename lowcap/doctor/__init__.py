"""Looking at a machine and an installation from outside: what is fine, what is not, the remedy."""
