"""A browser as on a desktop: one tab is visible, and the others are throttled or frozen.

In a browser that Playwright launches, and in every context that it makes, each tab counts as visible:
it cannot be frozen, and its timers and frames are never throttled.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, Playwright

START_SECONDS = 20.0


@asynccontextmanager
async def desktop(
    playwright: Playwright, chromium: str, arguments: Sequence[str]
) -> AsyncIterator[BrowserContext]:
    """The windows of a new Chromium without stored data."""
    profile = Path(tempfile.mkdtemp(prefix="chromium-"))
    process = await asyncio.create_subprocess_exec(
        chromium,
        "--headless",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        *arguments,
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(START_SECONDS):
            output = (await process.stderr.readuntil(b"/devtools/browser/")).decode()
            output += (await process.stderr.readline()).decode()
        address = re.search(r"DevTools listening on (ws:\S+)", output)
        assert address is not None, output
        reading = asyncio.ensure_future(process.stderr.read())
        browser = await playwright.chromium.connect_over_cdp(address[1], no_defaults=True)
        yield browser.contexts[0]
        await browser.close()
        process.terminate()
        await reading
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(profile, ignore_errors=True)
