"""Webhooks: sends the events of tenants to their endpoints. See docs/adr/0017-webhooks.md.

`schedule` decides when a failed delivery is tried again, `requests` makes one request, a `lane` delivers to
one endpoint, and `deliverer` runs the lanes of the partitions that a dispatcher leases.
"""
