"""The positions of very many logs as a short text: digests of their names, each with a position. Pure.

A reader gives the names that it knows, and gets the positions of those in the text. The bits are:

    salt (8), bits of a digest (6), parameters of the two codes (6 each), logs (16); then for each log:
    distance to the digest before it (Rice code), position (exponential Golomb code)

A thousand logs with some ten thousand notifications each take about 6,000 characters.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final

from msgspec import Struct

_DIGEST_BITS: Final = 40
# Tried in this order, until the text is short enough.
_BITS: Final = (40, 32, 28, 24)
_SALTS: Final = 256
_MOST_LOGS: Final = 2**16 - 1
_HEAD: Final = (8, 6, 6, 6, 16)
_HIGHEST: Final = 2**53 - 1


class Packed(Struct, frozen=True):
    """Positions by digest."""

    salt: int
    bits: int
    positions: dict[int, int]

    def of(self, names: Iterable[str]) -> dict[str, int]:
        """The positions of those of these logs that it has. Of two with one digest, it may have either.

        Both begin with 0 then, so that a client gets some notifications twice and loses none.
        """
        digests = {name: _digest(self.salt, name) >> (_DIGEST_BITS - self.bits) for name in names}
        counts = Counter(digests.values())
        return {
            name: self.positions[digest] if counts[digest] == 1 else 0
            for name, digest in digests.items()
            if digest in self.positions
        }


def pack(positions: Mapping[str, int], characters: int) -> tuple[str, dict[str, int]]:
    """The text of these positions, in at most so many characters, and the positions that are in it.

    If they do not fit, the logs with the lowest positions are left out.
    """
    kept = dict(sorted(positions.items(), key=lambda item: item[1])[-_MOST_LOGS:])
    length = characters
    while True:
        for bits in _BITS:
            text = _text(kept, bits)
            length = len(text)
            if length <= characters:
                return text, kept
        left = max(len(kept) * characters // length, 1) * 15 // 16
        kept = dict(list(kept.items())[len(kept) - left :])


def _text(positions: Mapping[str, int], bits: int) -> str:
    salt, entries = _entries(positions, bits)
    by_distance = max(bits - max(len(entries), 1).bit_length(), 0)
    by_position = sorted(entries.values())[len(entries) // 2].bit_length() if entries else 0
    head = (salt, bits, by_distance, by_position, len(entries))
    parts = [f"{value:0{width}b}" for value, width in zip(head, _HEAD, strict=True)]
    before = 0
    for digest, position in entries.items():
        distance, before = digest - before, digest
        parts.append("0" * (distance >> by_distance) + "1")
        if by_distance:
            parts.append(f"{distance & ((1 << by_distance) - 1):0{by_distance}b}")
        # Its zeros are those that fill the width.
        parts.append(f"{position + (1 << by_position):0{_golomb_length(position, by_position)}b}")
    joined = "".join(parts)
    joined += "0" * (-len(joined) % 8)
    data = int(joined, 2).to_bytes(len(joined) // 8)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _entries(positions: Mapping[str, int], bits: int) -> tuple[int, dict[int, int]]:
    """The salt, and the positions by digest in order. Two names have one digest only where no salt helps."""
    found: dict[int, int] = {}
    for salt in range(_SALTS):
        found = {}
        for name, position in positions.items():
            digest = _digest(salt, name) >> (_DIGEST_BITS - bits)
            found[digest] = min(position, found.get(digest, position))
        if len(found) == len(positions):
            break
    return salt, dict(sorted(found.items()))


def _digest(salt: int, name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=_DIGEST_BITS // 8, salt=bytes((salt,))).digest())


def _golomb_length(value: int, parameter: int) -> int:
    """The bits of a value: zeros, then as many digits and `parameter` more."""
    return 2 * (value + (1 << parameter)).bit_length() - 1 - parameter


def unpack(text: str) -> Packed | None:
    """The positions in a text of `pack`; None for any other text. Takes time in proportion to its length."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        return _unpack(f"{int.from_bytes(data):0{len(data) * 8}b}")
    except (binascii.Error, ValueError):
        return None


def _unpack(digits: str) -> Packed:
    """Raises ValueError."""
    at = sum(_HEAD)
    salt, bits, by_distance, by_position, count = _fields(digits)
    if bits not in _BITS or by_distance > bits:
        raise ValueError(bits)
    positions: dict[int, int] = {}
    digest = 0
    for _ in range(count):
        one = digits.index("1", at)
        quotient, at = one - at, one + 1
        digest += (quotient << by_distance) + (int(digits[at : at + by_distance], 2) if by_distance else 0)
        at += by_distance
        one = digits.index("1", at)
        width = one - at + 1 + by_position
        position, at = int(digits[one : one + width], 2) - (1 << by_position), one + width
        if digest >> bits or not 0 <= position <= _HIGHEST or at > len(digits):
            raise ValueError(position)
        positions[digest] = position
    return Packed(salt, bits, positions)


def _fields(digits: str) -> Iterator[int]:
    at = 0
    for width in _HEAD:
        yield int(digits[at : at + width], 2)
        at += width
