"""Cursors as clients see them: opaque, signed, and valid for one list only.

The store packs the start of a page into bytes. A client that could change them might read other data, so
each cursor has a MAC over its bytes and the name of the list. The name contains the epoch: after a loss of
data, the positions in a cursor are void.
"""

import base64
import binascii
import hmac
from typing import Final

import msgspec

from tidings_api.problems import ProblemError
from tidings_workers.store import Store

_MAC_BYTES: Final = 12
_REFUSED: Final = "This cursor is not one of this list: start again without a cursor."


class Cursors:
    """The cursors of one list. `name` is everything that selects its items: tenant, route, filters.

    `refused`: the detail of the error for a cursor that is not one of this list.
    """

    def __init__(self, store: Store, *name: str | int | None, refused: str = _REFUSED) -> None:
        self._secret = store.secret
        self._refused = refused
        self._name = msgspec.json.encode((store.epoch, *name))

    def read(self, cursor: str | None) -> bytes | None:
        """The bytes that the store packed; None for the start of the list. Raises 400 `invalid_cursor`."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, packed = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(packed)):
            raise ProblemError("invalid_cursor", self._refused)
        return packed

    def write(self, packed: bytes | None) -> str | None:
        """The cursor for the answer; None at an end of the list."""
        if packed is None:
            return None
        return base64.urlsafe_b64encode(self._mac(packed) + packed).rstrip(b"=").decode()

    def _mac(self, packed: bytes) -> bytes:
        return hmac.digest(self._secret, self._name + b"\0" + packed, "sha256")[:_MAC_BYTES]
