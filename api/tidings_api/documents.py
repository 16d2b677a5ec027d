"""The OpenAPI document and the page for people, as files to serve."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from tidings_api.assets import WIDGET, Asset, asset
from tidings_api.docs_page import render


class Documents:
    """The API's own description. The first request makes it in a thread, in 0.1 s; later ones reuse it."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = cache(describe)
        self._made: dict[str, Asset] = {}
        self._making = asyncio.Lock()

    async def openapi(self) -> Asset:
        """The OpenAPI document as JSON."""
        return await self._once("openapi.json", lambda: msgspec.json.encode(self._describe()))

    async def page(self) -> Asset:
        """The OpenAPI document as an HTML page."""
        return await self._once("docs.html", lambda: render(self._describe(), asset(WIDGET)).encode())

    async def _once(self, name: str, make: Callable[[], bytes]) -> Asset:
        if name not in self._made:
            async with self._making:
                if name not in self._made:
                    self._made[name] = await asyncio.to_thread(_prepared, name, make)
        return self._made[name]


def _prepared(name: str, make: Callable[[], bytes]) -> Asset:
    made = Asset(name, make())
    made.prepare()
    return made
