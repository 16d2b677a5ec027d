"""The documentation as a site, built and opened as a reader does it."""

import asyncio
import subprocess
import sys

import pytest
from playwright.async_api import expect

from tests.browser.conftest import NewDevice
from tests.support.stack import Stack
from tests.support.tree import ROOT
from tidings_api.demo.guide import SITE


@pytest.fixture(scope="session")
def site() -> None:
    """The site, built from the sources. The build fails when a link leads nowhere."""
    subprocess.run([sys.executable, ROOT / "tools" / "guide.py"], check=True, timeout=120)
    assert (SITE / "index.html").is_file()


@pytest.mark.usefixtures("site")
async def test_a_reader_finds_a_page(device: NewDevice, dev: Stack) -> None:
    """The site works under its policy: search, links between pages, and an address without a slash."""
    page = await (await device()).context.new_page()
    await page.goto(f"{dev.api}/guide")
    await expect(page).to_have_url(f"{dev.api}/guide/index.html")
    await page.get_by_role("link", name="Sending over HTTP").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Sending over HTTP")
    await page.keyboard.press("/")
    await page.keyboard.type("idempotency")
    await expect(page.get_by_text("Retries without doubles").last).to_be_visible()


@pytest.mark.usefixtures("site")
async def test_a_phone_shows_a_page(device: NewDevice, dev: Stack) -> None:
    """A page with tables and code is no wider than a phone."""
    page = await (await device(viewport={"width": 390, "height": 800})).context.new_page()
    await page.goto(f"{dev.api}/guide/operations.html")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Operating Tidings")
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(width) <= 0


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    "path", ["nothing", "%2e%2e/routes.py", "..%2f..%2fapp.py", "operations", "%2fetc%2fpasswd"]
)
async def test_a_wrong_address_is_refused(dev: Stack, path: str) -> None:
    """Only files of the site are served; an address that is none of them gets a text that helps."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(dev.api.rpartition(":")[2]))
    writer.write(f"GET /guide/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 404")
    assert '"code":"not_found"' in answer
