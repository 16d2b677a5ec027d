"""The widget on a page of another origin, as a customer puts it there: the line that was copied."""

import asyncio
import html
import re
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import NewDevice
from tests.browser.screen import Sender
from tests.support.stack import Stack

# All that the widget needs; there is no unsafe-inline, and no text turns into markup.
POLICY = (
    "default-src 'none'; script-src {api}; connect-src 'self' {api} {gateway}; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@pytest_asyncio.fixture(loop_scope="session")
async def shop(dev: Stack) -> AsyncIterator[str]:
    """The origin of a customer's site, whose page has the code that the demo page offers."""
    async with httpx.AsyncClient(trust_env=False) as client:
        demo = (await client.get(dev.api)).text
    offered = re.search(r'id="snippet-page">(.*?)</code>', demo, re.DOTALL)
    assert offered is not None
    page = f"<!doctype html><html lang=en><title>Shop</title>{html.unescape(offered[1])}</html>"
    policy = POLICY.format(api=dev.api, gateway=dev.realtime.partition("/v1/")[0])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        if request.startswith("GET /my-token "):
            body, kind = (
                f'{{"token": "{dev.token("ana")}", "realtime_url": "{dev.realtime}"}}',
                "application/json",
            )
        else:
            body, kind = page, "text/html; charset=utf-8"
        head = f"Content-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\nConnection: close"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\nContent-Security-Policy: {policy}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"


async def shown(page: Page, shop: str) -> None:
    """Open the shop, and wait for the bell."""
    await page.goto(shop)
    await expect(page.locator("tidings-inbox [part~=bell]")).to_be_visible()


async def test_the_copied_line_works_on_another_origin(device: NewDevice, dev: Stack, shop: str) -> None:
    """With its integrity, under a strict policy of the customer's: badge, list and mark, by CORS."""
    page = await (await device()).context.new_page()
    await shown(page, shop)
    Sender(dev).send("To the shop", users=["ana"])
    inbox = page.locator("tidings-inbox")
    await expect(inbox.locator("[part~=badge]")).to_have_text("1")
    await inbox.locator("[part~=bell]").click()
    await inbox.locator("[part~=item-title]").click()
    await expect(inbox.locator("[part~=badge]")).to_be_hidden()


async def test_another_file_than_the_named_one_does_not_run(device: NewDevice, shop: str) -> None:
    """Whoever changes the script on its way finds that browsers refuse it."""
    phone = await device()

    async def change(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=await answer.text() + ";")

    await phone.context.route("**/widget.js*", change)
    page = await phone.context.new_page()
    async with page.expect_console_message(lambda told: "integrity" in told.text):
        await page.goto(shop)
    assert await page.evaluate("customElements.get('tidings-inbox') === undefined")
    phone.faults.clear()
