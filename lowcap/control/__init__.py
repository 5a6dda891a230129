"""The operator's protocol: JSON-RPC lines over a Unix socket."""
