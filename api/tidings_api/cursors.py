"""Cursors as clients see them: opaque, signed, and good for the one list they came from.

The store packs where a page begins; a client that could change that might make the store read what
was not meant, so each cursor carries a MAC over its bytes and the list's name. The name has the epoch
in it: where data was lost, the positions in a cursor mean something else.
"""

import base64
import binascii
import hmac
from typing import Final

import msgspec

from tidings_api.problems import ProblemError
from tidings_workers.store import Store

_MAC_BYTES: Final = 12


class Cursors:
    """The cursors of one list, named by everything that selects its items (tenant, route, filters)."""

    def __init__(self, store: Store, *name: str | int | None) -> None:
        self._secret = store.secret
        self._name = msgspec.json.encode((store.epoch, *name))

    def read(self, cursor: str | None) -> bytes | None:
        """What the store packed, None for the start of the list; 400 invalid_cursor for anything else."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, packed = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(packed)):
            raise ProblemError(
                "invalid_cursor", "This cursor is not one of this list: begin again without a cursor."
            )
        return packed

    def write(self, packed: bytes | None) -> str | None:
        """The cursor to answer with; None at an end of the list."""
        if packed is None:
            return None
        return base64.urlsafe_b64encode(self._mac(packed) + packed).rstrip(b"=").decode()

    def _mac(self, packed: bytes) -> bytes:
        return hmac.digest(self._secret, self._name + b"\0" + packed, "sha256")[:_MAC_BYTES]
