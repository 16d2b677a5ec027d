"""The signatures of requests that Tidings sends to an application: Standard Webhooks."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tidings._errors import ConfigurationError, TidingsError
from tidings._public import publish

TOLERANCE_SECONDS: Final = 300

_PREFIX: Final = "whsec_"


class WebhookVerificationError(TidingsError):
    """A request is not signed with the secret, or is too old. Answer it with 401 and do nothing else."""


def key_of(secret: str) -> bytes:
    """The key in a secret, `whsec_` and base64. Raises ConfigurationError."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not key:
        raise ConfigurationError(
            "The secret of an upstream is whsec_ and base64. Copy it from `upstream.set`"
        )
    return key


def verify_webhook(
    headers: Mapping[str, str], body: bytes | str, secret: str, *, tolerance: float = TOLERANCE_SECONDS
) -> dict[str, Any]:
    """The JSON of a request that Tidings sent, after a check of its signature.

    `headers`: those of the request; upper and lower case are the same. `body`: its bytes, not decoded and
    encoded again. `tolerance`: how many seconds the time of the signature may differ from the clock here.
    Raises WebhookVerificationError, and ConfigurationError for a secret that is none.
    """
    found: dict[str, Any] = msgspec.json.decode(verified(headers, body, key_of(secret), tolerance))
    return found


def verified(headers: Mapping[str, str], body: bytes | str, key: bytes, tolerance: float) -> bytes:
    """The body, if the headers sign it."""
    fields = {name.lower(): value for name, value in headers.items()}
    message, timestamp, signatures = (
        fields.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (message and timestamp and signatures):
        raise WebhookVerificationError("The request has no signature")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004
        raise WebhookVerificationError("The time of the signature is not a number")
    if abs(time.time() - int(timestamp)) > tolerance:
        raise WebhookVerificationError("The signature is too old, or the clock is wrong")
    content = body.encode() if isinstance(body, str) else bytes(body)
    signed = b"%b.%b.%b" % (message.encode(), timestamp.encode(), content)
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    if not any(hmac.compare_digest(expected, each.encode()) for each in signatures.split(" ")):
        raise WebhookVerificationError("The signature is not valid. Check the secret")
    return content


publish(globals())
