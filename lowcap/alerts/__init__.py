"""Alerts: what the ledger says, told to a phone, a chat or a program of the operator's."""
