"""Recalls, erasures and retention: the same on both databases."""

from tests.archive.support import DAY, JANUARY, entry, notification, segment
from tidings_workers.archive import Archive, ArchiveRules, LogPart, SentQuery

NOW = JANUARY + 400 * DAY
OWN = "u/acme/ana"


async def positions(archive: Archive, log: str = OWN, tenant: str = "acme") -> list[int]:
    """The positions that a log has."""
    part = LogPart(log=log, positions=[0, 10_000], limit=5_000, newest_first=False)
    (items,) = await archive.read(tenant, [part], NOW)
    return [item.entry.position for item in items]


async def notifications(archive: Archive, tenant: str = "acme") -> list[str]:
    """The ids of all notifications of a tenant, oldest first."""
    page = await archive.sent(SentQuery(tenant=tenant, limit=5_000, newest_first=False))
    return [each.id for each in page.items]


async def test_a_recall_removes_a_notification_and_all_its_entries(archive: Archive) -> None:
    """After a recall no log has the notification; other tenants and notifications stay."""
    sent, other = notification(JANUARY), notification(JANUARY + 1)
    rows = [entry(sent, 1), entry(sent, 8, "u/acme/bob"), entry(other, 2)]
    await archive.append(rows, [sent, other])
    assert await archive.remove("other", [sent.id]) == 0
    assert await archive.remove("acme", [sent.id, "no id"]) == 2
    assert (await positions(archive), await positions(archive, "u/acme/bob")) == ([2], [])
    assert await notifications(archive) == [other.id]
    assert await archive.remove("acme", [sent.id]) == 0


async def test_removed_positions_take_contents_that_nothing_refers_to(archive: Archive) -> None:
    """A notification is removed with its last entry, and stays while another log has it."""
    sent, shared = notification(JANUARY), notification(JANUARY + 1)
    rows = [entry(sent, 1), entry(shared, 2), entry(shared, 1, "a/acme"), entry(sent, 9)]
    await archive.append(rows, [sent, shared])
    assert await archive.remove_entries("acme", {OWN: [0, 2, 5, 8]}) == 2
    assert await positions(archive) == [9]
    assert await notifications(archive) == [sent.id, shared.id]
    assert await archive.remove_entries("acme", {OWN: [8, 9], "a/acme": [0, 50]}) == 2
    assert await notifications(archive) == []


async def test_a_removal_by_position_leaves_older_entries(archive: Archive) -> None:
    """Of two entries at one position, the one from before a time stays."""
    former, new = notification(JANUARY), notification(JANUARY + DAY)
    await archive.append([entry(former, 1), entry(new, 1)], [former, new])
    assert await archive.remove_entries("acme", {OWN: [0, 1]}, JANUARY + DAY) == 1
    assert await notifications(archive) == [former.id]
    assert await positions(archive) == [1]


async def test_an_erasure_removes_the_user_in_small_steps(archive: Archive) -> None:
    """Log, own notifications and states of the user are removed; what others received stays."""
    own = [notification(JANUARY + number, to={"users": ["ana"], "exclude": ["eve"]}) for number in range(5)]
    both = notification(JANUARY + 9, to={"users": ["ana", "bob"]})
    team = notification(JANUARY + 10, to={"groups": ["team"]})
    bobs = notification(JANUARY + 11, to={"users": ["bob"]})
    rows = [entry(each, number + 1) for number, each in enumerate(own)]
    await archive.append(
        [
            *rows,
            *(entry(both, 6), entry(both, 1, "u/acme/bob")),
            *(entry(team, 7), entry(bobs, 2, "u/acme/bob"), entry(own[0], 1, "u/acme/ana-2")),
        ],
        [*own, both, team, bobs],
    )
    await archive.save_states([segment(0, 5), segment(5, 9), segment(0, 3, user="bob")])
    steps = 1
    while not await archive.erase_user("acme", "ana", 3):
        steps += 1
    assert steps >= 3
    assert await positions(archive) == []
    assert await positions(archive, "u/acme/bob") == [1, 2]
    # The one of these that another log has, too.
    assert await notifications(archive) == [own[0].id, both.id, team.id, bobs.id]
    assert await archive.states("acme", "ana", {"a/acme": [0, 99]}) == {}
    assert await archive.latest_state("acme", "bob", ["a/acme"]) == {"a/acme": 3}
    assert await archive.erase_user("acme", "ana")


async def test_an_erased_tenant_leaves_nothing(archive: Archive) -> None:
    """A tenant is removed in small steps, and the others stay whole."""
    for tenant in ("acme", "acme2"):
        rows = [notification(JANUARY + number * DAY, tenant=tenant) for number in range(7)]
        entries = [entry(each, number + 1, f"u/{tenant}/ana") for number, each in enumerate(rows)]
        await archive.append(entries, rows)
        await archive.save_states([segment(0, 5, tenant=tenant, log=f"a/{tenant}")])
    steps = 1
    while not await archive.erase_tenant("acme", 4):
        steps += 1
    assert steps >= 4
    assert await archive.tenants() == ["acme2"]
    assert await positions(archive) == []
    assert await archive.latest_state("acme", "ana", ["a/acme"]) == {}
    assert await positions(archive, "u/acme2/ana", "acme2") == [1, 2, 3, 4, 5, 6, 7]
    assert await archive.latest_state("acme2", "ana", ["a/acme2"]) == {"a/acme2": 5}


async def retire(archive: Archive, rules: ArchiveRules, now: int = NOW, budget: int = 3) -> int:
    """Walk through all rows of the tenant; returns the number of steps."""
    steps, cursor = 0, ""
    while (following := await archive.retire("acme", rules, now, cursor, budget)) is not None:
        cursor, steps = following, steps + 1
    return steps


async def test_retention_by_category(archive: Archive) -> None:
    """The longest matching name decides, the edge is kept, and each step looks at few rows."""
    ages = [("", 100), ("", 99), ("a.b", 31), ("a.b", 30), ("a.c", 300), ("z", 399)]
    sent = [notification(NOW - days * DAY, category) for category, days in ages]
    rows = [entry(each, number + 1) for number, each in enumerate(sent)]
    await archive.append(rows, sent)
    rules = ArchiveRules(99 * DAY, (("a.", None), ("a.b", 30 * DAY), ("z", 399 * DAY)))
    assert await retire(archive, rules) >= 3
    assert await positions(archive) == [2, 4, 5, 6]
    assert sorted(await notifications(archive)) == sorted(sent[number].id for number in (1, 3, 4, 5))


async def test_without_a_retention_nothing_is_removed(archive: Archive) -> None:
    """None is for ever, also for states."""
    sent = notification(JANUARY)
    await archive.append([entry(sent, 1)], [sent])
    await archive.save_states([segment(0, 5)])
    await retire(archive, ArchiveRules(None, (("a", DAY),)))
    assert (await positions(archive), await archive.latest_state("acme", "ana", ["a/acme"])) == (
        [1],
        {"a/acme": 5},
    )


async def test_states_are_retired_after_all_their_entries(archive: Archive) -> None:
    """A segment is removed when it is older than the longest retention of its tenant."""
    rules = ArchiveRules(10 * DAY, (("a", 20 * DAY),))
    await archive.save_states(
        [segment(0, 5, saved_at=NOW - 20 * DAY - 1), segment(5, 9, saved_at=NOW - 20 * DAY)]
    )
    await retire(archive, rules, budget=1)
    assert await archive.states("acme", "ana", {"a/acme": [0, 9]}) == {
        "a/acme": [segment(5, 9, saved_at=NOW - 20 * DAY)]
    }


async def test_old_months_are_dropped_as_a_whole(archive: Archive) -> None:
    """Months that ended are removed, whatever the tenant; the month of the given time stays whole."""
    for tenant in ("acme", "other"):
        sent = [notification(JANUARY + number * 15 * DAY, tenant=tenant) for number in range(8)]
        entries = [entry(each, number + 1, f"u/{tenant}/ana") for number, each in enumerate(sent)]
        await archive.append(entries, sent)
    for _ in range(20):
        if await archive.drop_months(JANUARY + 70 * DAY):
            break
    else:
        raise AssertionError("the months are not dropped")
    # The time is in March, which begins 59 days after JANUARY.
    for tenant in ("acme", "other"):
        assert await positions(archive, f"u/{tenant}/ana", tenant) == [5, 6, 7, 8]
        assert len(await notifications(archive, tenant)) == 4
    late = notification(JANUARY)
    await archive.append([entry(late, 1)], [late])
    assert await positions(archive) == [1, 5, 6, 7, 8]
