"""Notifications of a tenant, their recipients, and the export: the same on both databases."""

import msgspec
import pytest

from tests.archive.support import DAY, JANUARY, entry, notification
from tidings_workers.archive import Archive, ArchivedItem, ArchivedNotification, SentQuery, sql_archive


async def filled(archive: Archive, count: int = 12) -> list[ArchivedNotification]:
    """Notifications that are ten days apart, two in each millisecond; every third is one to topics."""
    rows = [
        notification(
            JANUARY + number // 2 * 10 * DAY,
            "build.failed" if number % 2 else "build",
            to={"topics": ["news"]} if number % 3 == 0 else None,
        )
        for number in range(count)
    ]
    await archive.append([], [*rows, notification(JANUARY, tenant="other")])
    return sorted(rows, key=lambda each: each.id)


async def pages(archive: Archive, query: SentQuery) -> list[ArchivedNotification]:
    """All pages of a query, one after the other."""
    found: list[ArchivedNotification] = []
    while True:
        page = await archive.sent(query)
        assert len(page.items) <= query.limit
        found += page.items
        if not page.boundary:
            return found
        query = msgspec.structs.replace(query, boundary=page.boundary)


@pytest.mark.parametrize("newest_first", [True, False], ids=["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 5, 12, 50])
async def test_pages_have_each_notification_once(archive: Archive, newest_first: bool, limit: int) -> None:
    """The pages together are the list in order of acceptance, also within a millisecond."""
    rows = await filled(archive)
    query = SentQuery(tenant="acme", limit=limit, newest_first=newest_first)
    assert await pages(archive, query) == (rows[::-1] if newest_first else rows)


async def test_a_list_is_narrowed_by_category_time_and_topics(archive: Archive) -> None:
    """Category, span and the exclusion of topics each select a part, in whatever direction."""
    rows = await filled(archive)
    since, until = JANUARY + 10 * DAY, JANUARY + 40 * DAY
    for newest_first in (True, False):
        query = SentQuery(
            tenant="acme",
            limit=2,
            newest_first=newest_first,
            category="build.",
            since=since,
            until=until,
            topics=False,
        )
        expected = [
            each
            for each in rows
            if each.category == "build.failed" and since <= each.at < until and b"users" in each.target
        ]
        assert len(expected) == 2
        found = await pages(archive, query)
        assert found == (expected[::-1] if newest_first else expected)


async def test_a_rare_category_takes_several_bounded_calls(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call looks at a bounded number of notifications, and its boundary leads to the others."""
    monkeypatch.setattr(sql_archive, "SENT_SCANNED", 4)
    await filled(archive)
    rare = notification(JANUARY - 5, "rare")
    await archive.append([], [rare])
    query = SentQuery(tenant="acme", limit=3, category="rare")
    page = await archive.sent(query)
    assert (page.items, page.boundary != "") == ([], True)
    assert await pages(archive, query) == [rare]


async def test_the_recipients_of_a_notification_are_paged_by_user(archive: Archive) -> None:
    """The recipients are in the byte order of the users, in both directions; other logs are left out."""
    users = ["B", "a", "ana", "ana-2", "b", "~z"]
    sent = notification(JANUARY, to={"users": users})
    other = notification(JANUARY)
    rows = [entry(sent, 1, f"u/acme/{user}", seen_at=7) for user in users]
    await archive.append([*rows, entry(sent, 4, "a/acme"), entry(other, 2, "u/acme/c")], [sent, other])
    assert await archive.recipients("acme", sent.id, 9) == rows
    assert await archive.recipients("acme", sent.id, 2, "a") == rows[2:4]
    assert await archive.recipients("acme", sent.id, 2, "b", forward=False) == [rows[3], rows[2]]
    assert await archive.recipients("acme", sent.id, 9, forward=False) == rows[::-1]
    assert await archive.recipients("other", sent.id, 9) == []
    assert await archive.recipients("acme", "no id", 9) == []


async def test_an_export_has_every_entry_in_order_of_acceptance(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export in small pages has each entry of the span once, in order, expired ones too."""
    monkeypatch.setattr(sql_archive, "PAGE", 3)
    sent = [notification(JANUARY + number // 3 * 20 * DAY) for number in range(12)]
    rows = [
        entry(each, number + 1, f"u/acme/{user}", expires=1)
        for number, each in enumerate(sent)
        for user in ("ana", "bob", "cid")
    ]
    foreign = notification(JANUARY, tenant="other")
    await archive.append([*rows, entry(foreign, 1, "a/other")], [*sent, foreign])
    expected = sorted(rows, key=lambda each: (each.id, each.log))
    contents = {each.id: each.content for each in sent}

    async def export(since: int | None, until: int | None) -> list[ArchivedItem]:
        return [item async for item in archive.export("acme", since, until)]

    assert await export(None, None) == [(each, contents[each.id]) for each in expected]
    since, until = JANUARY + 20 * DAY, JANUARY + 60 * DAY
    found = await export(since, until)
    assert [item.entry for item in found] == [each for each in expected if since <= each.at < until]
