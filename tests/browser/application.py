"""Requests of an application to the server, for comparison with the pages of its users."""

from typing import Any

import httpx

from tests.support.no_tls import NO_TLS
from tests.support.sending import eventually
from tests.support.stack import Stack


async def connections(dev: Stack, user: str) -> int:
    """The number of connections in the presence of a user."""
    return len((await _ask(dev, f"/v1/users/{user}/presence"))["connections"])


async def unread(dev: Stack, user: str) -> int:
    """The number of unread notifications in the inbox of a user."""
    number: int = (await _ask(dev, f"/v1/users/{user}/notifications?limit=1"))["counts"]["unread"]
    return number


async def position(dev: Stack, user: str) -> int:
    """The head of a user's own log."""
    number: int = (await _ask(dev, f"/v1/users/{user}/notifications?limit=1"))["positions"]["user"]
    return number


async def stored(dev: Stack, user: str, number: int) -> None:
    """Wait until the inbox has this number of unread notifications: after a 202 they are only accepted."""

    async def look() -> int:
        return await unread(dev, user)

    await eventually(look, expected=number)


async def _ask(dev: Stack, path: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {dev.token('tests', 'read')}"}
    async with httpx.AsyncClient(
        base_url=dev.api, headers=headers, trust_env=False, timeout=30, verify=NO_TLS
    ) as api:
        answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
