"""Tickets: a name for a token that may be in a URL, because it can be used once, and only for a short time.

A ticket is the number of its partition, a dash and 32 random characters. The store has its digest and the
token. So a ticket gives the rights of its token and no others, and ends with the token or its key.
"""

import re
import secrets
from hashlib import blake2b
from typing import Final

from tidings.protocol import limits
from tidings_workers.store.core import Core
from tidings_workers.store.packing import Packed, pack, text

# Tickets of a user that are kept at once. A page needs one for each stream that it opens.
TICKETS_PER_USER: Final = 50

_RANDOM_BYTES: Final = 24
_FORM: Final = re.compile(r"(?P<partition>[0-9a-f]{1,3})-[A-Za-z0-9_-]{32}").fullmatch


class Ticket(Packed, frozen=True):
    """The request of keep_ticket.lua. `owner`: tenant and user, with a slash between them."""

    owner: str
    digest: str
    token: str
    life: int
    limit: int


class Tickets:
    """The tickets of all users."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def make(self, tenant: str, user: str, token: str) -> str:
        """A new ticket for a token of a user, valid for `limits.TICKET_SECONDS`."""
        partition = self._core.keys.user(tenant, user).partition
        ticket = f"{partition:x}-{secrets.token_urlsafe(_RANDOM_BYTES)}"
        life = limits.TICKET_SECONDS * 1000
        request = Ticket(f"{tenant}/{user}", _digest(ticket), token, life, TICKETS_PER_USER)
        await self._core.run("keep_ticket", partition, pack(request))
        return ticket

    async def redeem(self, ticket: str) -> str | None:
        """The token of a ticket, once; None when there is no such ticket, or no longer."""
        found = _FORM(ticket)
        partition = int(found["partition"], 16) if found is not None else self._core.partitions
        if partition >= self._core.partitions:
            return None
        token = await self._core.run("redeem_ticket", partition, _digest(ticket))
        return text(token) or None


def _digest(ticket: str) -> str:
    return blake2b(ticket.encode(), digest_size=16).hexdigest()
