"""HTTP requests to URLs that tenants choose, such as an upstream: docs/adr/0015-messages-and-the-upstream.md.

A tenant is another party than the operator. Its URL must not reach the operator's own network, and its answer
must cost little, whatever it has. `client` makes every request to a URL of a tenant.
"""
