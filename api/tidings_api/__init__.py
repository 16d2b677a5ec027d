"""The HTTP face of Tidings."""
