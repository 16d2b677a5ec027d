"""Calls of the REST API: sending, and reading all pages of a list."""

from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.sending import eventually


async def send(api: httpx.AsyncClient, headers: dict[str, str], to: dict[str, Any], **fields: Any) -> str:
    """Send a notification, with the title x by default; its id."""
    body = {"title": "x", **fields, "to": to}
    answer = await api.post("/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def join(api: httpx.AsyncClient, headers: dict[str, str], group: str, *users: str) -> None:
    """Add users to a group, and wait until their inboxes list the group, which may follow the answer."""
    answer = await api.post(f"/v1/groups/{group}/members", json={"add": users}, headers=headers)
    assert answer.status_code == 200, answer.text

    async def known() -> bool:
        inboxes = [
            (await api.get(f"/v1/users/{user}/notifications", headers=headers)).json() for user in users
        ]
        return all(f"group:{group}" in inbox["positions"] for inbox in inboxes)

    await eventually(known, expected=True)


async def walk(
    api: httpx.AsyncClient,
    path: str,
    headers: dict[str, str],
    limit: int,
    query: Mapping[str, str] | None = None,
) -> list[list[Any]]:
    """The pages of a list from first to last, checked against those back by `previous`."""
    asked: dict[str, str | int] = {**(query or {}), "limit": limit}
    page = (await api.get(path, params=asked, headers=headers)).json()
    forward = [page]
    while page["next"]:
        page = (await api.get(path, params=asked | {"cursor": page["next"]}, headers=headers)).json()
        if page["items"]:
            forward.append(page)
    back = [forward[-1]["items"]]
    page = forward[-1]
    while page["previous"]:
        page = (await api.get(path, params=asked | {"cursor": page["previous"]}, headers=headers)).json()
        if page["items"]:
            back.append(page["items"])
    assert [item for items in reversed(back) for item in items] == [
        item for page in forward for item in page["items"]
    ]
    return [page["items"] for page in forward]
