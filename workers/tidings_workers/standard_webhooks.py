"""Standard Webhooks (standardwebhooks.com): secrets and signatures. Pure."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "whsec_"
# The specification: 24 to 64 bytes, in base64.
WHSEC_PATTERN: Final = (
    r"^whsec_(?:(?:[A-Za-z0-9+/]{4}){8,20}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})?"
    r"|(?:[A-Za-z0-9+/]{4}){21}[A-Za-z0-9+/]{2}==)$(?!\n)"
)

HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
# A receiver refuses older and newer messages.
TOLERANCE_SECONDS: Final = 300

SECRET_RULE: Final = "whsec_ and 24 to 64 bytes in base64"  # noqa: S105 - the form of one


def new_secret() -> str:
    """A new secret, of 32 bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_secret(text: str) -> bool:
    """Whether a text is a secret."""
    return re.match(WHSEC_PATTERN, text) is not None


def headers(secret: str, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that sign a body. `message` is its id, `timestamp` in Unix seconds."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature(secret, message, timestamp, body)}",
    }


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """The signature of a body, in base64."""
    signed = b"%b.%d.%b" % (message.encode(), timestamp, body)
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def verifies(secret: str, fields: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether the headers of a request sign its body, and are not older than five minutes at `now`."""
    message, timestamp, signatures = (fields.get(name, "") for name in HEADERS)
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004
        return False
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    expected = f"v1,{signature(secret, message, int(timestamp), body)}".encode()
    return any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" "))


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
