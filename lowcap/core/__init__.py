"""Words every room shares: money, time, identifiers, messages, facts. Imports nothing of ours."""
