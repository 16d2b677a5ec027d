"""The list of a tenant's sends: each entry has all sends of a call, and pages may end within one."""

from tests.support.sending import notification
from tidings_workers.store import Store

CATEGORIES = ("orders.new", None, "chat, with a comma", "orders.paid", None, "orders")


async def fill(store: Store) -> dict[str, str | None]:
    """Send batches and single notifications to one user and to all; the category of each id, oldest first."""
    found: dict[str, str | None] = {}
    for size in (1, 6, 3, 1, 1, 5):
        sent = [
            notification("x", users=["ana"], category=CATEGORIES[number % len(CATEGORIES)])
            if number % 3
            else notification("x", to_all=True, category=CATEGORIES[number % len(CATEGORIES)])
            for number in range(size)
        ]
        accepted = await store.sends.send("demo", sent)
        found |= {id_: item.category for id_, item in zip(accepted.ids, sent, strict=True)}
    return found


async def test_pages_of_the_list(store: Store) -> None:
    """Pages of any size have each send once, newest first, and the way back has the same sends."""
    categories = await fill(store)
    for limit in (1, 2, 3, 5, 50):
        pages, cursor = [], None
        while True:
            page = await store.receipts.sent("demo", None, limit, cursor)
            pages.append([item.id for item in page.items])
            if (cursor := page.next) is None:
                break
        ids = [id_ for page_ids in pages for id_ in page_ids]
        assert sorted(ids) == sorted(categories)
        times = [int(id_[:8] + id_[9:13], 16) for id_ in ids]
        assert times == sorted(times, reverse=True)
        back: list[str] = []
        while page.previous is not None and page.items:
            page = await store.receipts.sent("demo", None, limit, page.previous)
            back = [item.id for item in page.items] + back
        # Within a millisecond the two directions may have another order.
        assert sorted(back) == sorted(ids[: len(ids) - len(pages[-1])])


async def test_sends_while_the_list_is_read(store: Store) -> None:
    """Sends that are accepted between two pages are not on the later pages, and a step back shows them."""
    before = await fill(store)
    first = await store.receipts.sent("demo", None, 4, None)
    (late,) = (await store.sends.send("demo", [notification("late", users=["ana"])])).ids
    second = await store.receipts.sent("demo", None, 50, first.next)
    assert sorted(item.id for item in [*first.items, *second.items]) == sorted(before)
    third = await store.receipts.sent("demo", None, 50, second.previous)
    assert [item.id for item in third.items][:1] == [late]


async def test_categories_of_the_list(store: Store) -> None:
    """A category selects its own sends, whatever else their call accepted and its characters are."""
    categories = await fill(store)
    for wanted in ("orders.", "orders", "chat, with a comma"):
        page = await store.receipts.sent("demo", wanted, 200, None)
        expected = {
            id_
            for id_, category in categories.items()
            if category and (category.startswith(wanted) if wanted.endswith(".") else category == wanted)
        }
        assert {item.id for item in page.items} == expected
