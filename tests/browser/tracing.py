"""The tasks of a page's main thread with their processor time, not the time of other processes."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page

CATEGORIES = ["__metadata", "disabled-by-default-devtools.timeline", "toplevel"]


@asynccontextmanager
async def tasks_of(browser: Browser, page: Page) -> AsyncIterator[list[float]]:
    """A list that is filled at the end with the milliseconds of each task of the busiest page."""
    tasks: list[float] = []
    await browser.start_tracing(page=page, categories=CATEGORIES)
    yield tasks
    events = json.loads(await browser.stop_tracing())["traceEvents"]
    names = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in events
        if event["name"] == "thread_name"
    }
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for event in events:
        thread = event["pid"], event["tid"]
        if event["name"] == "RunTask" and "tdur" in event and names.get(thread) == "CrRendererMain":
            found[thread].append(event["tdur"] / 1_000)
    tasks += max(found.values(), key=sum)
