"""A browser as a person has it: one tab is in sight, and the others rest or are put to sleep.

One that Playwright launches, and every context that it makes, takes each of its tabs for one in sight:
such a tab can't be frozen, and its timers and frames never slow down.
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
    """The windows of a Chromium of its own, with nothing stored."""
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
            told = (await process.stderr.readuntil(b"/devtools/browser/")).decode()
            told += (await process.stderr.readline()).decode()
        address = re.search(r"DevTools listening on (ws:\S+)", told)
        assert address is not None, told
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
