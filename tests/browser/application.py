"""What an application asks the server, to compare it with what its users see."""

from typing import Any

import httpx

from tests.support.sending import eventually
from tests.support.stack import Stack


async def connections(dev: Stack, user: str) -> int:
    """How many the presence of a user counts."""
    return len((await _ask(dev, f"/v1/users/{user}/presence"))["connections"])


async def unread(dev: Stack, user: str) -> int:
    """How many unread notifications the inbox of a user has."""
    number: int = (await _ask(dev, f"/v1/users/{user}/notifications?limit=1"))["counts"]["unread"]
    return number


async def position(dev: Stack, user: str) -> int:
    """Where the own log of a user ends."""
    number: int = (await _ask(dev, f"/v1/users/{user}/notifications?limit=1"))["positions"]["user"]
    return number


async def stored(dev: Stack, user: str, number: int) -> None:
    """Return once as many unread notifications are there: a 202 says only that they will be."""

    async def look() -> int:
        return await unread(dev, user)

    await eventually(look, expected=number)


async def _ask(dev: Stack, path: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {dev.token('tests', 'read')}"}
    async with httpx.AsyncClient(base_url=dev.api, headers=headers, trust_env=False, timeout=30) as api:
        answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
