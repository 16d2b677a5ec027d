"""A live inbox: `session` and `backoff` are pure, `access` fetches tokens, `live` does the I/O."""
