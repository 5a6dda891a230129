"""What an operator types at: one-liners and the interactive prompt."""
