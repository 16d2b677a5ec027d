"""The batches of entries that archivers move, as the key `archiving` of a partition has them. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from tidings_workers.store import intervals
from tidings_workers.store.intervals import Bounds
from tidings_workers.store.packing import text


class BatchUnderWay(NamedTuple):
    """A batch that has not ended: its token, and its positions by the base of the log.

    The archive may have these entries already. Redis has them too, except for those that were recalled.
    """

    token: str
    positions: dict[str, Bounds]


def parse_batch(packed: bytes) -> BatchUnderWay:
    """A batch from its packed text: {token, stage, time, logs}."""
    token, stage, _, logs = msgspec.msgpack.decode(packed)
    if stage == "excess":
        return BatchUnderWay(token, positions_of(logs))
    return BatchUnderWay(token, positions_of([(log[0], [place[0] for place in log[-1]]) for log in logs]))


def positions_of(logs: Sequence[Any]) -> dict[str, Bounds]:
    """Positions by the base of their log, from pairs of both."""
    found: dict[str, list[int]] = {}
    for base, positions in logs:
        found.setdefault(text(base), []).extend(map(int, positions))
    return {base: intervals.of(positions) for base, positions in found.items()}
