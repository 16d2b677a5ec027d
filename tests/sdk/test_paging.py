"""The limit of a list, and the number of its requests."""

from typing import Any

import pytest

from tests.sdk.gateway import KEY
from tests.sdk.scripted import TIME, Ask, Server, answer
from tidings import InvalidArgumentError, Tidings


def pages(*sizes: int) -> Server:
    """Answers with pages of groups of these sizes."""
    bodies, number = [], 0
    for at, size in enumerate(sizes):
        items = [{"id": str(number + n), "members": 1, "created_at": TIME} for n in range(size)]
        number += size
        bodies.append({"items": items, "next": f"c{at}", "previous": None})
    return Server(*(answer(200, body) for body in bodies))


@pytest.mark.parametrize(
    ("options", "sizes", "asked"),
    [
        ({"limit": 10}, [10], ["10"]),
        ({"limit": 10, "page_size": 4}, [4, 4, 2], ["4", "4", "2"]),
        ({"limit": 4, "page_size": 4}, [4], ["4"]),
        ({"limit": 450}, [200, 200, 50], ["200", "200", "50"]),
        ({"limit": 3}, [9], ["3"]),
    ],
)
async def test_a_limit_is_the_largest_number_of_items(
    ask: Ask, options: dict[str, int], sizes: list[int], asked: list[str]
) -> None:
    """A list ends after `limit` items, and no request asks for more than the rest or a page."""
    server = pages(*sizes)
    found = await ask(server, lambda c: c.groups.list(**options))
    assert [group.id for group in found] == [str(n) for n in range(options["limit"])]
    assert [request.url.params["limit"] for request in server.requests] == asked


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": -1}, {"page_size": 0}, {"page_size": 201}])
@pytest.mark.parametrize(
    "call",
    [
        lambda c, o: c.groups.list(**o),
        lambda c, o: c.groups.members("g", **o),
        lambda c, o: c.groups.of_user("ana", **o),
        lambda c, o: c.sent(**o),
        lambda c, o: c.receipts("n1", **o),
        lambda c, o: c.inbox("ana").list(**o),
    ],
)
def test_an_invalid_limit_is_refused_by_every_list(call: Any, options: dict[str, int]) -> None:
    """Each list checks `limit` and `page_size`, and the error says what each means."""
    with (
        Tidings("http://api", key=KEY) as client,
        pytest.raises(InvalidArgumentError, match=r"limit|page_size"),
    ):
        call(client, options)
