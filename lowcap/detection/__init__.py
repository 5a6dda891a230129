"""News items in, signals out. Pure."""
