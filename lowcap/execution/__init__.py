"""Orders from intent to protected position. The desk is the only writer of trading state."""
