"""Appending, and reading logs: the same on both databases."""

from typing import Any

import msgspec
import pytest

from tests.archive.support import DAY, JANUARY, entry, notification
from tidings_workers.archive import Archive, ArchivedEntry, ArchivedNotification, LogPart

NOW = JANUARY + 400 * DAY
OWN = "u/acme/ana"


async def filled(archive: Archive, count: int, **fields: Any) -> list[ArchivedEntry]:
    """Entries 1 to `count` of the log of `ana`, ten days apart."""
    sent = [notification(JANUARY + number * 10 * DAY) for number in range(count)]
    entries = [entry(each, number + 1, **fields) for number, each in enumerate(sent)]
    await archive.append(entries, sent)
    return entries


async def positions(archive: Archive, part: LogPart, now: int = NOW) -> list[int]:
    """The positions that one part has."""
    (items,) = await archive.read("acme", [part], now)
    return [item.entry.position for item in items]


async def test_every_field_is_returned_as_it_was_archived(archive: Archive) -> None:
    """Entry, content and notification are those that were appended, byte for byte."""
    sent = notification(
        JANUARY,
        "build.failed",
        to={"users": ["ana", "bob"], "exclude": ["eve"]},
        status="stored",
        recipients=2,
        position=4,
        delivered=1,
        seen=2,
        read=3,
        actions={"retry": 1},
        content=bytes(range(256)),
    )
    own = entry(
        sent,
        4,
        expires=NOW + 1,
        exclude=frozenset({"eve", "mal"}),
        delivered=True,
        seen=True,
        read=True,
        seen_at=1,
        read_at=0,
        archived_at=3,
        action="retry",
        action_at=4,
    )
    await archive.append([own], [sent])
    assert await archive.read("acme", [LogPart(log=OWN, positions=[0, 9], limit=5)], NOW) == [
        [(own, bytes(range(256)))]
    ]
    assert await archive.notification("acme", sent.id) == sent


async def test_an_append_may_be_repeated(archive: Archive) -> None:
    """An entry that is stored stays as it is, and a notification gets new receipts and keeps its content."""
    sent = notification(JANUARY, status="accepted")
    first = entry(sent, 1, seen_at=1)
    await archive.append([first], [sent])
    later = msgspec.structs.replace(
        sent, content=b"{}", target=b"{}", status="stored", seen=5, stored_at=9, actions={"a": 1}
    )
    await archive.append([entry(sent, 1, seen_at=2), entry(sent, 1, seen_at=2)], [sent, later])
    assert await archive.read("acme", [LogPart(log=OWN, positions=[0, 9], limit=5)], NOW) == [
        [(first, sent.content)]
    ]
    expected = msgspec.structs.replace(later, content=sent.content, target=sent.target)
    assert await archive.notification("acme", sent.id) == expected


@pytest.mark.parametrize(
    ("newest_first", "expected"), [(True, [9, 8, 5, 4]), (False, [2, 4, 5, 8])], ids=["newest", "oldest"]
)
async def test_a_part_has_the_first_positions_of_its_intervals(
    archive: Archive, newest_first: bool, expected: list[int]
) -> None:
    """Several intervals are one list, in the direction of the part, up to its limit."""
    await filled(archive, 12)
    part = LogPart(log=OWN, positions=[1, 2, 3, 5, 7, 9], limit=4, newest_first=newest_first)
    assert await positions(archive, part) == expected


async def test_many_intervals_are_read_to_the_end(archive: Archive) -> None:
    """A thousand intervals, most of them without an entry, give the entries that exist, in order."""
    await filled(archive, 40)
    bounds = [bound for start in range(0, 4_000, 4) for bound in (start, start + 1)]
    expected = list(range(1, 41, 4))
    for newest_first in (True, False):
        part = LogPart(log=OWN, positions=bounds, limit=50, newest_first=newest_first)
        found = await positions(archive, part)
        assert found == (expected[::-1] if newest_first else expected)


async def test_several_logs_are_read_at_once(archive: Archive) -> None:
    """Each part has entries of its own log and tenant, in its own direction."""
    sent = [notification(JANUARY + number) for number in range(3)]
    foreign = notification(JANUARY, tenant="other")
    await archive.append(
        [
            *(entry(each, number + 1, "a/acme") for number, each in enumerate(sent)),
            *(entry(each, number + 5, "g/acme/team") for number, each in enumerate(sent)),
            entry(foreign, 1, "a/other"),
        ],
        [*sent, foreign],
    )
    parts = [
        LogPart(log="a/acme", positions=[0, 99], limit=2),
        LogPart(log="g/acme/team", positions=[5, 99], limit=9, newest_first=False),
        LogPart(log="g/acme/tea", positions=[0, 99], limit=9),
        LogPart(log="a/acme", positions=[], limit=9),
        LogPart(log="a/acme", positions=[0, 99], limit=0),
    ]
    found = await archive.read("acme", parts, NOW)
    assert [[item.entry.position for item in items] for items in found] == [[3, 2], [6, 7], [], [], []]


async def test_a_category_is_exact_or_a_prefix_with_a_dot(archive: Archive) -> None:
    """`build.` selects every category below it, `build` only itself."""
    names = ["build", "build.failed", "build.", "builds", "", "zz"]
    sent = [notification(JANUARY + number, name) for number, name in enumerate(names)]
    await archive.append([entry(each, number + 1) for number, each in enumerate(sent)], sent)

    async def found(category: str) -> list[int]:
        part = LogPart(log=OWN, positions=[0, 9], limit=9, category=category, newest_first=False)
        return await positions(archive, part)

    assert [await found(each) for each in ("build", "build.", "z", "")] == [
        [1],
        [2, 3],
        [],
        [1, 2, 3, 4, 5, 6],
    ]


async def test_a_span_of_time_begins_inclusive_and_ends_exclusive(archive: Archive) -> None:
    """`since` is the first millisecond of a span, `until` the first one after it."""
    entries = await filled(archive, 8)
    part = LogPart(log=OWN, positions=[0, 9], limit=9, since=entries[2].at, until=entries[5].at)
    assert await positions(archive, part) == [5, 4, 3]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (None, [5, 4, 3, 2, 1]),
        ("listed", [4, 3, 2, 1]),
        ("archived", [5]),
        ("unseen", [4, 1]),
        ("seen", [3, 2]),
        ("unread", [4, 2, 1]),
        ("read", [3]),
    ],
)
async def test_the_states_of_a_users_log(archive: Archive, states: str | None, expected: list[int]) -> None:
    """The states have the meanings of the lists of an inbox: the last state counts, not a former one."""
    sent = [notification(JANUARY + number) for number in range(5)]
    marks: list[dict[str, Any]] = [
        {},
        {"seen_at": 1, "seen": True},
        {"seen_at": 0, "read_at": 2},
        {"seen": True, "read": True},
        {"seen_at": 1, "read_at": 1, "archived_at": 0},
    ]
    await archive.append([entry(each, number + 1, **marks[number]) for number, each in enumerate(sent)], sent)
    part = LogPart(log=OWN, positions=[0, 9], limit=9, states=states)  # type: ignore[arg-type]
    assert await positions(archive, part) == expected


async def test_expired_entries_are_left_out(archive: Archive) -> None:
    """An entry is read until the millisecond in which it expires; then the page has the next one instead."""
    sent = [notification(JANUARY + number) for number in range(3)]
    await archive.append(
        [entry(each, number + 1, expires=0 if number == 0 else NOW) for number, each in enumerate(sent)], sent
    )
    part = LogPart(log=OWN, positions=[0, 9], limit=1)
    assert await positions(archive, part, NOW - 1) == [3]
    assert await positions(archive, part, NOW) == [1]


async def test_an_entry_without_its_notification_is_not_read(archive: Archive) -> None:
    """An entry is visible once its notification is stored, in whatever order the two were appended."""
    sent = notification(JANUARY)
    other = notification(JANUARY + 1)
    await archive.append([entry(sent, 1), entry(other, 2)], [sent])
    part = LogPart(log=OWN, positions=[0, 9], limit=2)
    assert await positions(archive, part) == [1]
    await archive.append([], [other])
    assert await positions(archive, part) == [2, 1]


async def test_a_log_of_another_tenant_is_refused(archive: Archive) -> None:
    """A log that is not one of the tenant is an error of the caller, and reads nothing."""
    for log in ("a/other", "a/acmeister", "u/acm/ana"):
        with pytest.raises(ValueError, match="none of the tenant"):
            await archive.read("acme", [LogPart(log=log, positions=[0, 1], limit=1)], NOW)


async def test_nothing_to_append_and_nothing_to_read(archive: Archive) -> None:
    """Empty calls are valid, and an empty archive gives empty answers."""
    await archive.append([], [])
    assert await archive.read("acme", [], NOW) == []
    assert await archive.notification("acme", "no id") is None
    assert await archive.tenants() == []
    health = await archive.health()
    assert (health.reachable, health.rows, health.oldest, health.newest) == (True, 0, None, None)


async def test_health_shows_what_the_archive_has(archive: Archive) -> None:
    """The health has version, size, and the times of the oldest and newest notifications of all tenants."""
    rows = [
        notification(JANUARY + 70 * DAY),
        notification(JANUARY + 3, tenant="other"),
        notification(JANUARY + 90 * DAY, tenant="zeta"),
    ]
    await archive.append([], rows)
    health = await archive.health()
    assert (health.version, health.oldest, health.newest) == (1, JANUARY + 3, JANUARY + 90 * DAY)
    assert health.size > 10_000
    assert await archive.tenants() == ["acme", "other", "zeta"]


def test_a_notification_has_the_fields_of_the_stores_record() -> None:
    """The archive can answer whatever the record of the store can."""
    from tidings_workers.store import StoredNotification

    names = {"to": "target", "accepted_at": "at"}
    fields = {names.get(each, each) for each in StoredNotification.__struct_fields__} - {"in_archive"}
    assert fields <= set(ArchivedNotification.__struct_fields__)
