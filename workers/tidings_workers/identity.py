"""Which store a process works on, in a form that may be shown to anybody."""

import hmac
from typing import Final

# In answers about readiness, and in those of a gateway to plain HTTP.
STORE_HEADER: Final = "Tidings-Store"


def identity_of(secret: bytes) -> str:
    """A name of the store for comparing: the same for all its parts, and nothing can be learnt from it."""
    return hmac.new(secret, b"which store is this", "sha256").hexdigest()[:16]
