"""The demo page of `tidings-server dev`: two users side by side, and a form that sends to them.

Only `dev` runs this. An API in production neither serves nor imports it.
"""

import asyncio
from collections.abc import Callable

from tidings_api import server
from tidings_api.demo import guide, routes, upstream
from tidings_workers.config import Settings


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serve as `tidings_api.server.run` does, with the demo page at `/`, and a sample upstream."""
    await server.run(settings, stop, ready, (routes.routes, guide.routes, upstream.routes))
