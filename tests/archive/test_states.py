"""States of users in logs that they share: the same on both databases."""

import pytest

from tests.archive.support import JANUARY, segment
from tidings_workers.archive import Archive, StateSegment, sql_archive

TEAM = "g/acme/team"


async def test_the_segments_that_overlap_with_positions(archive: Archive) -> None:
    """A read returns, by log and in order, each segment that has one of the positions, once."""
    rows = [segment(0, 10), segment(10, 20), segment(20, 35), segment(0, 9, log=TEAM)]
    others = [segment(0, 10, user="bob"), segment(0, 10, tenant="other", log="a/other")]
    await archive.save_states([*rows[::-1], *others])
    assert await archive.states("acme", "ana", {"a/acme": [9, 10, 19, 21], TEAM: [9, 30]}) == {
        "a/acme": rows[:3]
    }
    assert await archive.states("acme", "ana", {"a/acme": [10, 20], TEAM: [8, 9]}) == {
        "a/acme": [rows[1]],
        TEAM: [rows[3]],
    }
    assert await archive.states("acme", "ana", {"a/acme": []}) == {}


async def test_a_segment_never_changes(archive: Archive) -> None:
    """A segment that is saved again, also in a longer form, stays as it was: its entries may be gone."""
    await archive.save_states([segment(0, 10)])
    await archive.save_states([segment(0, 12, state=b"later"), segment(10, 12)])
    assert await archive.states("acme", "ana", {"a/acme": [0, 99]}) == {
        "a/acme": [segment(0, 10), segment(10, 12)]
    }


async def test_the_latest_state_is_where_the_next_segment_begins(archive: Archive) -> None:
    """Of each log that has a segment, the highest position of all segments of the user."""
    await archive.save_states(
        [segment(0, 10), segment(10, 25), segment(0, 4, log=TEAM), segment(0, 99, user="b")]
    )
    assert await archive.latest_state("acme", "ana", ["a/acme", TEAM, "g/acme/none"]) == {
        "a/acme": 25,
        TEAM: 4,
    }
    assert await archive.latest_state("acme", "ana", [TEAM]) == {TEAM: 4}


async def test_former_states_are_removed(archive: Archive) -> None:
    """The states of a user that were saved before a time make room for others at the same positions."""
    former, other = segment(0, 4), segment(0, 4, user="bob")
    kept = segment(4, 6, saved_at=JANUARY + 1)
    await archive.save_states([former, other, kept])
    await archive.remove_states("acme", "ana", JANUARY + 1)
    assert await archive.states("acme", "ana", {"a/acme": [0, 9]}) == {"a/acme": [kept]}
    assert await archive.states("acme", "bob", {"a/acme": [0, 9]}) == {"a/acme": [other]}
    again = segment(0, 4, saved_at=JANUARY + 2, state=b"new")
    await archive.save_states([again])
    assert await archive.states("acme", "ana", {"a/acme": [0, 9]}) == {"a/acme": [again, kept]}


async def test_all_segments_of_a_tenant(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read in small pages, in order of user, log and position, each once."""
    monkeypatch.setattr(sql_archive, "PAGE", 2)
    rows = [segment(after, after + 5, user=user) for user in ("ana", "bob") for after in (0, 5, 10)]
    await archive.save_states([*rows[::-1], segment(0, 5, tenant="other", log="a/other")])
    found: list[StateSegment] = [each async for each in archive.segments("acme")]
    assert found == rows
