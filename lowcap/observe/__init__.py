"""Explaining and logging, fed by ledger records, never awaited by the flow."""
