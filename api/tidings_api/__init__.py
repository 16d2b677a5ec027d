"""The HTTP API of Tidings."""
