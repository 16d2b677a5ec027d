"""Every request of the REST API: built from arguments, and its answer read. No I/O.

Both clients run these, so a route is described once.
"""
