"""Actions in both clients: the request, the result, and the errors."""

from typing import Any

import pytest

from tests.sdk.scripted import TIME, Ask, Server, answer, refusal
from tests.sdk.test_inbox import INSTANT, page
from tidings import (
    Acted,
    ActionUsedError,
    InvalidArgumentError,
    NotFoundError,
    UnknownActionError,
    UsedAction,
)

ACTED = {"id": "n1", "action": {"id": "approve", "at": TIME}}


@pytest.mark.parametrize(
    ("user", "action", "path"),
    [
        ("ana", "approve", "/v1/users/ana/notifications/n1/actions/approve"),
        (None, "approve", "/v1/me/notifications/n1/actions/approve"),
        ("ana", "a b?#%", "/v1/users/ana/notifications/n1/actions/a%20b%3F%23%25"),
    ],
)
async def test_an_action_is_used(ask: Ask, user: str | None, action: str, path: str) -> None:
    """The action's id is in the path, percent-encoded, and the result has the time of the first use."""
    server = Server(answer(200, ACTED))
    options: dict[str, Any] = {} if user else {"key": None, "token": "t"}
    acted = await ask(server, lambda client: client.inbox(user).act("n1", action), **options)
    assert acted == Acted("n1", UsedAction("approve", INSTANT))
    (request,) = server.requests
    assert request.url.raw_path.decode() == f"/base{path}"
    assert request.content == b""


@pytest.mark.parametrize("action", ["", "a/b", ".", ".."])
async def test_an_action_that_no_path_has(ask: Ask, action: str) -> None:
    """An id that cannot be in a path is refused before anything is sent."""
    server = Server()
    with pytest.raises(InvalidArgumentError):
        await ask(server, lambda client: client.inbox("ana").act("n1", action))
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(409, "action_used", ActionUsedError), (404, "unknown_action", UnknownActionError)],
)
async def test_a_refused_action(ask: Ask, status: int, code: str, error: type[Exception]) -> None:
    """Each refusal has an error of its own; an unknown action is also one that was not found."""
    server = Server(refusal(code))
    with pytest.raises(error) as raised:
        await ask(server, lambda client: client.inbox("ana").act("n1", "reject"))
    assert isinstance(raised.value, NotFoundError) == (status == 404)
    assert len(server.requests) == 1


async def test_items_have_the_action(ask: Ask) -> None:
    """An item of a list has the action that the user used, and None without one."""
    listed = page(1, 2)
    listed["items"][0]["action"] = ACTED["action"]
    items = await ask(Server(answer(200, listed)), lambda client: client.inbox("ana").list())
    assert [item.action for item in items] == [UsedAction("approve", INSTANT), None]
