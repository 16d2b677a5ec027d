"""Actions by REST: the first one counts and is part of items and receipts, and each fault has a code."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.conftest import Bearer
from tests.support.rest import join, send
from tests.support.sending import eventually

CHOICES = [{"id": "approve", "label": "Approve"}, {"id": "track", "label": "Track", "link": "/track"}]
NOBODY = "0198c5f0-0000-7000-8000-000000000000"


@pytest.fixture
def sender(bearer: Bearer) -> dict[str, str]:
    return bearer("send read groups users")


@pytest.fixture
def ana(bearer: Bearer) -> dict[str, str]:
    return bearer("inbox", subject="ana")


async def act(
    api: httpx.AsyncClient, headers: dict[str, str], identity: str, action: str, path: str = "/v1/me"
) -> httpx.Response:
    """Use an action."""
    where = f"{path}/notifications/{quote(identity, safe='')}/actions/{quote(action, safe='')}"
    return await api.post(where, headers=headers)


async def item(api: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    """The newest item of the own inbox."""
    found: dict[str, Any] = (await api.get("/v1/me/notifications", headers=headers)).json()["items"][0]
    return found


async def test_the_first_action_is_everywhere(
    api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str]
) -> None:
    """The first action is in its answer, in lists and in receipts; another one gets 409."""
    identity = await send(api, sender, {"users": ["ana"]}, actions=CHOICES)
    assert (await item(api, ana))["action"] is None
    first = await act(api, ana, identity, "approve")
    assert first.status_code == 200
    assert first.json() == {"id": identity, "action": {"id": "approve", "at": first.json()["action"]["at"]}}
    assert (await act(api, ana, identity, "approve")).json() == first.json()
    other = await act(api, sender, identity, "track", "/v1/users/ana")
    assert (other.status_code, other.json()["code"]) == (409, "action_used")
    assert "'approve'" in other.json()["detail"]
    used = first.json()["action"]
    assert (await item(api, ana))["action"] == used
    sent = (await api.get(f"/v1/notifications/{identity}", headers=sender)).json()
    assert sent["receipts"] == {
        "recipients": 1, "delivered": 0, "seen": 0, "read": 0, "actions": {"approve": 1},
    }  # fmt: skip
    (receipt,) = (await api.get(f"/v1/notifications/{identity}/receipts", headers=sender)).json()["items"]
    assert (receipt["user"], receipt["action"]) == ("ana", used)


async def test_a_conditional_list_has_the_action(
    api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str]
) -> None:
    """An action changes the ETag of the list, so a client with the old list reads the new one."""
    identity = await send(api, sender, {"users": ["ana"]}, actions=CHOICES)
    before = await api.get("/v1/me/notifications", headers=ana)
    await act(api, ana, identity, "track")
    after = await api.get("/v1/me/notifications", headers={**ana, "If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()["items"][0]["action"]["id"] == "track"


async def test_each_user_of_a_group_counts(
    api: httpx.AsyncClient, bearer: Bearer, sender: dict[str, str]
) -> None:
    """Users of a group use different actions at once, and the receipts count each user once."""
    users = [f"user-{number}" for number in range(12)]
    await join(api, sender, "team", *users)
    identity = await send(api, sender, {"groups": ["team"]}, actions=CHOICES)

    async def all_use() -> list[int]:
        answers = await asyncio.gather(
            *(
                act(api, bearer("inbox", subject=user), identity, "approve" if number % 3 else "track")
                for number, user in enumerate(users)
            )
        )
        return [answer.status_code for answer in answers]

    assert await all_use() == await all_use() == [200] * 12

    async def actions() -> dict[str, int]:
        sent = (await api.get(f"/v1/notifications/{identity}", headers=sender)).json()
        found: dict[str, int] = sent["receipts"]["actions"]
        return found

    await eventually(actions, {"approve": 8, "track": 4})


@pytest.mark.parametrize(
    ("identity", "action", "status", "code"),
    [
        ("{id}", "maybe", 404, "unknown_action"),
        ("{id}", "APPROVE", 404, "unknown_action"),
        ("{id}", "a" * 5_000, 404, "unknown_action"),
        ("{id}", "\u0000", 404, "unknown_action"),
        ("{id}", "'; drop", 404, "unknown_action"),
        (NOBODY, "approve", 404, "not_found"),
        ("nope", "approve", 404, "not_found"),
        ("ü" * 200, "approve", 404, "not_found"),
    ],
)
async def test_faults(
    api: httpx.AsyncClient,
    sender: dict[str, str],
    ana: dict[str, str],
    identity: str,
    action: str,
    status: int,
    code: str,
) -> None:
    """Each fault has its status and code, and an unknown action lists those that there are."""
    real = await send(api, sender, {"users": ["ana"]}, actions=CHOICES)
    answer = await act(api, ana, identity.replace("{id}", real), action)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if code == "unknown_action":
        assert "'approve', 'track'" in answer.json()["detail"]
    assert (await item(api, ana))["action"] is None


async def test_scopes(api: httpx.AsyncClient, bearer: Bearer, sender: dict[str, str]) -> None:
    """The own route needs `inbox` and the user's `users`; another user or tenant finds no notification."""
    identity = await send(api, sender, {"users": ["ana"]}, actions=CHOICES)
    assert (await act(api, bearer("send users"), identity, "approve")).status_code == 403
    own = bearer("inbox", subject="ana")
    assert (await act(api, own, identity, "approve", "/v1/users/ana")).status_code == 403
    for headers in (bearer("inbox", subject="bob"), bearer("inbox", subject="ana", tenant="other")):
        assert (await act(api, headers, identity, "approve")).status_code == 404
    assert (await act(api, sender, identity, "approve", "/v1/users/ana")).status_code == 200


async def test_recalled_and_expired(
    api: httpx.AsyncClient, sender: dict[str, str], ana: dict[str, str]
) -> None:
    """A notification that was recalled, or has expired, has no action to use."""
    recalled = await send(api, sender, {"users": ["ana"]}, actions=CHOICES)
    await api.delete(f"/v1/notifications/{recalled}", headers=sender)
    brief = await send(api, sender, {"users": ["ana"]}, actions=CHOICES, expires_in=1)

    async def refused() -> list[str]:
        answers = [await act(api, ana, identity, "maybe") for identity in (recalled, brief)]
        return [answer.json()["code"] for answer in answers]

    await eventually(refused, ["not_found", "not_found"])
