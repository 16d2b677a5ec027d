"""A real Chromium in front of a real `dev`: the page that it opens, as Ana and Bob have it open.

All of it runs in one event loop of the session, since a browser is started once.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from tests.browser.desktop import desktop
from tests.browser.screen import Device
from tests.support.sending import eventually
from tests.support.stack import Stack, running_stack
from tests.support.tree import ROOT

# As the tests of the package itself start it.
ARGUMENTS: tuple[str, ...] = tuple(json.loads((ROOT / "sdk/browser/test/support/chromium.json").read_text()))

NewDevice = Callable[..., Awaitable[Device]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this directory runs in the loop that the browser is driven from."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is, installed if need be. Without it tests are skipped, but in CI they fail."""
    found = subprocess.run([ROOT / "tools/chromium"], capture_output=True, text=True, check=False)
    if found.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(found.stderr)
    return found.stdout.strip()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """What drives browsers."""
    async with async_playwright() as playwright:
        yield playwright


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright: Playwright, chromium: str) -> AsyncIterator[Browser]:
    """A running browser with nothing in it; all of its tabs count as in sight."""
    browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
    yield browser
    await browser.close()


@pytest.fixture(scope="session")
def dev(short_directory: Path) -> Iterator[Stack]:
    """A `dev` that is ready, shared by all of these tests; who stops or changes it puts it back."""
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def inboxes(dev: Stack) -> None:
    """Nobody has got anything before."""
    headers = {"authorization": f"Bearer {dev.token('tests', 'users read send')}"}
    async with httpx.AsyncClient(base_url=dev.api, headers=headers, trust_env=False, timeout=30) as api:
        for user in ("ana", "bob"):

            async def erased(user: str = user) -> int:
                return (await api.delete(f"/v1/users/{user}")).status_code

            # After the death of a gateway it is 503 for a moment.
            await eventually(erased, expected=200)
        # What went to all outlives them.
        for sent in (await api.get("/v1/notifications")).json()["items"]:
            if sent["to"].get("all") and sent["status"] != "recalled":
                assert (await api.delete(f"/v1/notifications/{sent['id']}")).status_code == 204


@pytest_asyncio.fixture(loop_scope="session")
async def device(browser: Browser, dev: Stack, inboxes: None) -> AsyncIterator[NewDevice]:
    """Opens devices, each a browser of its own. What goes wrong on a page fails the test."""
    devices: list[Device] = []

    async def open_device(**options: object) -> Device:
        devices.append(await Device.open(browser, dev, **options))
        return devices[-1]

    yield open_device
    for each in devices:
        await each.close()
    assert [fault for each in devices for fault in each.faults] == []


@pytest_asyncio.fixture(loop_scope="session")
async def laptop(playwright: Playwright, chromium: str, dev: Stack, inboxes: None) -> AsyncIterator[Device]:
    """A device whose tabs are out of sight unless they are in front, and can be frozen then."""
    async with desktop(playwright, chromium, ARGUMENTS) as context:
        device = await Device.around(context, dev)
        yield device
    assert device.faults == []
