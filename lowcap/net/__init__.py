"""The seams to the outside: text-frame connections, HTTP requests, streams."""
