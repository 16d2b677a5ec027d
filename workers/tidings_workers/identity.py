"""The public identity of a store: it shows whether two processes work on the same store."""

import hmac
from typing import Final

# In answers about readiness, and in a gateway's answers to plain HTTP.
STORE_HEADER: Final = "Tidings-Store"


def identity_of(secret: bytes) -> str:
    """A name of the store, equal for all its parts. It is a digest and reveals nothing of the secret."""
    return hmac.new(secret, b"which store is this", "sha256").hexdigest()[:16]
