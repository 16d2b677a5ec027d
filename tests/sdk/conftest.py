"""Fixtures that several tests of the SDK share."""

import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.sdk.gateway import KEY
from tests.sdk.scripted import Ask, Server
from tidings import AsyncTidings, Pages, Tidings


@pytest.fixture(params=["blocking", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """A function that runs a call of a client against a scripted server, once per kind of client."""

    async def run(server: Server, call: Callable[[Any], Any], **options: Any) -> Any:
        options = {"key": KEY, "transport": httpx.MockTransport(server), **options}
        if request.param == "blocking":
            with Tidings("http://api/base/", **options) as client:
                client._sleep = server.waits.append
                result = call(client)
                return list(result) if isinstance(result, Pages) else result
        async with AsyncTidings("http://api/base/", **options) as aclient:

            async def sleep(seconds: float) -> None:
                server.waits.append(seconds)

            aclient._sleep = sleep
            result = call(aclient)
            if inspect.isawaitable(result):
                return await result
            return [item async for item in result]

    return run
