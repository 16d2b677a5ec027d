"""A real Chromium with the page of a real `dev`, as Ana and Bob have it open.

All tests run in one event loop, because the browser is started once per session.
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
from tests.support.no_tls import NO_TLS
from tests.support.sending import eventually
from tests.support.stack import Stack, running_stack
from tests.support.tree import ROOT

# sdk/browser/test/support/chromium.mjs explains them: the tests of the package use the same ones.
KNOWN: dict[str, list[str]] = json.loads((ROOT / "sdk/browser/test/support/chromium.json").read_text())


def arguments(*, playwright: bool) -> list[str]:
    """The arguments of Chromium; with `playwright`, of one that Playwright launches with its own list."""
    unused = [*(KNOWN["playwright"] if playwright else ()), *KNOWN["unused"]]
    return [*KNOWN["arguments"], f"--disable-features={','.join(unused)}"]


NewDevice = Callable[..., Awaitable[Device]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run every test of this directory in the event loop that drives the browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium, installed if needed. Without it the tests are skipped; in CI they fail."""
    found = subprocess.run([ROOT / "tools/chromium"], capture_output=True, text=True, check=False)
    if found.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(found.stderr)
    return found.stdout.strip()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """The program that drives browsers."""
    async with async_playwright() as playwright:
        yield playwright


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright: Playwright, chromium: str) -> AsyncIterator[Browser]:
    """A running browser without data; all of its tabs count as visible."""
    browser = await playwright.chromium.launch(executable_path=chromium, args=arguments(playwright=True))
    yield browser
    await browser.close()


@pytest.fixture(scope="session")
def dev(short_directory: Path) -> Iterator[Stack]:
    """A `dev` that is ready, shared by all tests; a test that stops or changes it restores it."""
    with running_stack(Path(tempfile.mkdtemp(dir=short_directory))) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def inboxes(dev: Stack) -> None:
    """Empty the inboxes of ana and bob before each test."""
    headers = {"authorization": f"Bearer {dev.token('tests', 'users read send')}"}
    async with httpx.AsyncClient(
        base_url=dev.api, headers=headers, trust_env=False, timeout=30, verify=NO_TLS
    ) as api:
        for user in ("ana", "bob"):

            async def erased(user: str = user) -> int:
                return (await api.delete(f"/v1/users/{user}")).status_code

            # After a gateway was killed the answer is 503 for a moment.
            await eventually(erased, expected=200)
        # Notifications to all remain after the users are erased.
        for sent in (await api.get("/v1/notifications")).json()["items"]:
            if sent["to"].get("all") and sent["status"] != "recalled":
                assert (await api.delete(f"/v1/notifications/{sent['id']}")).status_code == 204


@pytest_asyncio.fixture(loop_scope="session")
async def device(browser: Browser, dev: Stack, inboxes: None) -> AsyncIterator[NewDevice]:
    """Opens devices, each with its own browser. A fault on a page fails the test."""
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
    """A device whose background tabs are hidden, so that they can be frozen."""
    async with desktop(playwright, chromium, arguments(playwright=False)) as context:
        device = await Device.around(context, dev)
        yield device
    assert device.faults == []
