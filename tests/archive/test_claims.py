"""A claim on a partition: of two archivers only the later one writes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.archive.conftest import opened
from tests.archive.support import JANUARY, entry, notification
from tidings_workers.archive import Archive, ArchivedItem, Claim, ClaimLost, LogPart, copy_archive

OWN = "u/acme/ana"
PART = LogPart(log=OWN, positions=[0, 9_999], limit=9_999, newest_first=False)


@pytest.fixture
async def other(url: str, archive: Archive) -> AsyncIterator[Archive]:
    """The same archive, as another process has it."""
    del archive
    other = opened(url)
    yield other
    await other.close()


async def listed(archive: Archive) -> list[ArchivedItem]:
    """The log of `ana`."""
    return (await archive.read("acme", [PART], JANUARY))[0]


async def test_a_later_claim_ends_the_earlier_one(archive: Archive, other: Archive) -> None:
    """After a later claim, also of another process, the earlier one writes and removes nothing."""
    kept, refused = notification(JANUARY, seen=1), notification(JANUARY + 1)
    early = await archive.claim(5)
    await archive.append([entry(kept, 1)], [kept], early)
    late = await other.claim(5)
    with pytest.raises(ClaimLost, match="partition 5: claim it again"):
        await archive.append(
            [entry(kept, 1, read_at=3), entry(refused, 2)], [notification(JANUARY), refused], early
        )
    with pytest.raises(ClaimLost):
        await archive.append([], [refused], early)
    with pytest.raises(ClaimLost):
        await archive.remove_entries("acme", {OWN: [0, 9]}, claim=early)
    assert await listed(archive) == [(entry(kept, 1), kept.content)]
    assert await archive.notification("acme", refused.id) is None
    assert await archive.notification("acme", kept.id) == kept
    await other.append([entry(refused, 2)], [refused], late)
    assert await other.remove_entries("acme", {OWN: [0, 1]}, claim=late) == 1
    assert [item.entry.position for item in await listed(archive)] == [2]


async def test_a_claim_is_on_one_partition(archive: Archive) -> None:
    """A claim on another partition ends none; one that the database does not know is refused."""
    sent = notification(JANUARY)
    claim = await archive.claim(0)
    await archive.claim(1)
    await archive.append([entry(sent, 1)], [sent], claim)
    with pytest.raises(ClaimLost):
        await archive.append([entry(sent, 2)], [sent], Claim(2, 1))
    assert [item.entry.position for item in await listed(archive)] == [1]


async def test_nothing_is_committed_after_a_claim(archive: Archive, other: Archive) -> None:
    """An append that runs while another process claims is whole before the claim returns, or is not there."""
    for run in range(12):
        sent = [notification(JANUARY + number) for number in range(200)]
        rows = [entry(each, run * 200 + number + 1) for number, each in enumerate(sent)]
        claim = await archive.claim(0)
        append = asyncio.create_task(archive.append(rows, sent, claim))
        await asyncio.sleep(run * 0.002)
        await other.claim(0)
        after = len(await listed(other))
        assert after % 200 == 0
        await asyncio.gather(append, return_exceptions=True)
        assert append.exception() is None or isinstance(append.exception(), ClaimLost)
        assert len(await listed(other)) == after


async def test_an_entry_that_moves_again_has_its_newer_state(archive: Archive) -> None:
    """The state is replaced, and nothing else of the entry; a repetition changes nothing."""
    sent = notification(JANUARY, "a")
    claim = await archive.claim(0)
    await archive.append([entry(sent, 1, seen_at=1, expires=JANUARY + 9)], [sent], claim)
    newer: dict[str, Any] = {
        "delivered": True,
        "seen": True,
        "read": True,
        "seen_at": 2,
        "read_at": 3,
        "archived_at": 4,
        "action": "ok",
        "action_at": 5,
    }
    again = entry(sent, 1, **{**newer, "category": "b"})
    expected = entry(sent, 1, **{**newer, "expires": JANUARY + 9})
    for _ in range(2):
        await archive.append([again, again], [sent], claim)
        assert await listed(archive) == [(expected, sent.content)]


async def test_a_copy_keeps_newer_states(archive: Archive, sqlite_url: str) -> None:
    """An entry that the target of a copy has already keeps the state that it has there."""
    sent = notification(JANUARY)
    await archive.append([entry(sent, 1)], [sent])
    target = opened(f"{sqlite_url}.target")
    await target.migrate()
    await target.append([entry(sent, 1, read_at=3)], [sent], await target.claim(0))
    async for _ in copy_archive(archive, target):
        pass
    assert await listed(target) == [(entry(sent, 1, read_at=3), sent.content)]
    await target.close()
