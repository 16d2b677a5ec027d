"""Replays from memory: built once for many clients, and only when they are the same for all."""

import pytest

from tidings_workers.gateway.recent import RecentEntries
from tidings_workers.gateway.websocket import WebSocket
from tidings_workers.store.entries import Entry

WIRE = WebSocket.wire
NO_USERS = frozenset[str]()


def entry(position: int, expires: int = 0, exclude: frozenset[str] = NO_USERS) -> Entry:
    return Entry(position, b'{"id":"%d"}' % position, expires, exclude)


def recent(*entries: Entry) -> RecentEntries:
    kept = RecentEntries()
    for each in entries:
        kept.add(each)
    return kept


def frames(*positions: int) -> bytes:
    return b"".join(
        WIRE.notification("all", position, entry(position).content, replayed=True) for position in positions
    )


def test_a_replay_has_the_frames_of_its_entries() -> None:
    """A replay has a frame for each of its entries, whichever replay was built before."""
    kept = recent(*map(entry, range(1, 6)))
    spans = [(0, 5), (0, 5), (2, 4), (0, 5), (4, 5)]
    found = [kept.replay("all", WIRE, after, up_to) for after, up_to in spans]
    assert found == [frames(*range(after + 1, up_to + 1)) for after, up_to in spans]


@pytest.mark.parametrize(
    "entries",
    [
        [entry(1), entry(2, expires=10**15), entry(3)],
        [entry(1), entry(2, exclude=frozenset({"ana"})), entry(3)],
        [entry(1), entry(3)],
        [entry(2), entry(3)],
        [],
    ],
    ids=["expiring", "excluding", "hole", "older is missing", "empty"],
)
def test_no_replay_that_differs_between_clients(entries: list[Entry]) -> None:
    """Entries that expire or exclude users, or of which some are missing, have no common replay."""
    assert recent(*entries).replay("all", WIRE, 0, 3) is None


def test_a_recalled_entry_is_in_no_later_replay() -> None:
    """After an entry was recalled, a replay that was built before is not used again."""
    kept = recent(*map(entry, range(1, 4)))
    assert kept.replay("all", WIRE, 0, 3) == frames(1, 2, 3)
    kept.remove(2)
    assert kept.replay("all", WIRE, 0, 3) is None
    assert kept.replay("all", WIRE, 2, 3) == frames(3)
