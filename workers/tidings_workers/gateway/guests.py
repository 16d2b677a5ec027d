"""Clients without a token: the tenant that a guest belongs to, and its rights. Pure.

A guest may subscribe to the open topics of its tenant and send messages to the application. It has no inbox,
no presence and no device, and nothing of it is stored. It does not choose its name.
"""

import secrets
import time
from collections.abc import Sequence
from typing import Final

from tidings_workers.tokens import Identity

PREFIX: Final = "guest-"
SCOPES: Final = frozenset({"message"})

# A guest has no token that expires. It is connected while its tenant allows guests.
_GUEST_SECONDS: Final = 10 * 365 * 86_400

NO_TOKEN: Final = "Send a token in CONNECT: the header Authorization: Bearer <token>, or passcode."  # noqa: S105
SEVERAL: Final = "Several tenants allow guests: name one in the header host, or send a token in passcode."


def guest_of(tenants: Sequence[str], is_tenant: bool, host: str) -> Identity | str:  # noqa: FBT001
    """A new guest, or the reason of its refusal. `tenants` are those that allow guests.

    The guest belongs to the tenant that the header `host` names. Clients that send a host name or nothing
    there belong to the only tenant that allows guests. `is_tenant`: `host` is the id of a tenant, so the
    client means that one and no other.
    """
    if host in tenants:
        tenant = host
    elif is_tenant or not tenants:
        return NO_TOKEN
    elif len(tenants) > 1:
        return SEVERAL
    else:
        tenant = tenants[0]
    now = time.time()
    return Identity(
        tenant=tenant,
        subject=PREFIX + secrets.token_hex(8),
        scopes=SCOPES,
        kid="",
        issued_at=now,
        expires_at=now + _GUEST_SECONDS,
        is_guest=True,
    )
