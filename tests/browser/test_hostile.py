"""Content from strangers that an application sends is shown as text."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Route, WebSocketRoute, expect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import Sender, Tab
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack

SCRIPTS = (
    "<script>globalThis.hacked = 1</script>",
    "<img src=x onerror='globalThis.hacked = 1'>",
    "\"><svg onload='globalThis.hacked = 1'>",
    "{{constructor.constructor('globalThis.hacked = 1')()}}",
)
STRANGE = (
    "\u202emoc.live\u202c at the start",
    "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{PILE OF POO}" * 20,
    "a\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 50,
    "عنوان بالعربية then English",
    "W" * 10_000,
    "Word " * 2_000,
)
# None of them is http, https, mailto or a path.
LINKS = (
    "javascript:globalThis.hacked=1",
    "JaVaScRiPt:globalThis.hacked=1",
    " javascript:globalThis.hacked=1",
    "java\tscript:globalThis.hacked=1",
    "\u0001javascript:globalThis.hacked=1",
    "data:text/html,<script>opener.hacked=1</script>",
    "vbscript:msgbox(1)",
    "blob:http://127.0.0.1/1",
    "file:///etc/passwd",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example\\",
    "https:",
    "evil.example",
    "",
)


@pytest.mark.parametrize("place", ["link", "icon", "action"])
async def test_the_server_refuses_other_links(dev: Stack, place: str) -> None:
    """The server refuses a link that is not http, https, mailto or a path, in every field for links."""
    headers = {"authorization": f"Bearer {dev.token('sender', 'send')}"}
    async with httpx.AsyncClient(base_url=dev.api, headers=headers, trust_env=False, verify=NO_TLS) as client:
        for link in LINKS:
            body: dict[str, Any] = {"to": {"users": ["ana"]}, "title": "x"}
            if place == "action":
                body["actions"] = [{"id": "a", "label": "A", "link": link}]
            else:
                body[place] = link
            answer = await client.post("/v1/notifications", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), link


async def test_markup_is_text(device: NewDevice, dev: Stack) -> None:
    """Script tags and handlers are shown as text, in the list and in announcements."""
    tab = await (await device()).tab("ana")
    await tab.look()
    to = {"users": ["ana"]}
    items = [
        {"to": to, "title": text, "body": text, "category": "<b>", "actions": [{"id": "a", "label": text}]}
        for text in SCRIPTS
    ]
    Sender(dev).send_all(items)
    await expect(tab.titles).to_have_text(list(reversed(SCRIPTS)))
    for text in SCRIPTS:
        await expect(tab.list.get_by_role("button", name=text, exact=True)).to_be_visible()
    assert await tab.page.evaluate("globalThis.hacked") is None
    assert await tab.inbox.locator("[part~=list]").locator("script, img, b, svg:not([viewBox])").count() == 0


@pytest.mark.parametrize("way", ["page", "socket"])
async def test_no_link_runs_anything(device: NewDevice, dev: Stack, way: str) -> None:
    """The list shows no link for a dangerous one of an older server, from pages and from frames."""
    phone = await device()
    evil = {title: link for link in LINKS if (title := f"A link: {json.dumps(link)}")}

    def poison(notification: dict[str, Any]) -> None:
        if link := evil.get(notification["title"]):
            action = {"id": "a", "label": "Go", "link": link}
            notification |= {"link": link, "icon": link, "actions": [action]}

    async def poison_page(route: Route) -> None:
        answer = await route.fetch()
        page = await answer.json()
        for item in page["items"]:
            poison(item["notification"])
        await route.fulfill(response=answer, json=page)

    def poison_frames(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] == "notification":
                poison(frame["notification"])
            socket.send(json.dumps(frame))

        server.on_message(pass_on)

    if way == "page":
        Sender(dev).send(*evil, users=["bob"])
        await stored(dev, "bob", len(evil))
        await phone.context.route("**/v1/me/notifications*", poison_page)
    else:
        await phone.context.route_web_socket("**/v1/realtime", poison_frames)
    tab = await phone.tab("bob")
    await tab.look()
    if way == "socket":
        Sender(dev).send(*evil, users=["bob"])
    await expect(tab.titles).to_have_count(len(evil))
    opened: list[str] = []
    phone.context.on("page", lambda page: opened.append(page.url))
    await expect(tab.list.get_by_text("Go", exact=True)).to_have_count(len(evil) - 1)
    assert await tab.inbox.locator("a, [href], [src]").count() == 0
    address = tab.page.url
    longer = await tab.list.get_by_text("Show more", exact=True).count()
    clicked = await tab.list.evaluate(
        """list => {
          const all = [...list.querySelectorAll("button")].filter((each) => each.textContent);
          for (const each of all) each.click();
          return all.length;
        }"""
    )
    # A title for each, an action for all but one, and a button for the whole of each long title.
    assert clicked == 2 * len(evil) - 1 + longer
    await expect(tab.badge).to_be_hidden()
    assert (tab.page.url, opened) == (address, [])
    assert await tab.page.evaluate("globalThis.hacked") is None


@pytest_asyncio.fixture(loop_scope="session")
async def never() -> AsyncIterator[str]:
    """The URL of an image on a server that accepts requests and never answers."""
    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.read()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/never.png"
        for writer in held:
            writer.close()


async def test_no_text_breaks_the_list(device: NewDevice, dev: Stack, never: str) -> None:
    """Direction overrides, stacked accents, emoji and titles of 10,000 characters stay inside their row.

    An icon that never loads delays nothing, and its row looks like the others.
    """
    tab = await (await device()).tab("ana")
    await tab.look()
    items = [{"to": {"users": ["ana"]}, "title": text, "icon": never} for text in STRANGE]
    Sender(dev).send_all([*items, {"to": {"users": ["ana"]}, "title": "Plain"}])
    await expect(tab.titles.first).to_have_text("Plain")
    await expect(tab.titles).to_have_count(len(STRANGE) + 1)
    assert await overflows(tab) == []
    heights = [box["height"] for box in await boxes(tab, "item")]
    # Long titles are cut, and stacked accents stay inside their line.
    assert max(heights) < 4 * heights[0], heights
    assert {(box["width"], box["height"]) for box in await boxes(tab, "icon")} == {
        (box["width"], box["height"]) for box in (await boxes(tab, "icon"))[:1]
    }
    texts = await tab.titles.all_text_contents()
    assert not [text for text in texts if "\u202e" in text]
    # The direction override of a title does not affect other elements.
    for each in await tab.titles.all():
        assert await each.evaluate("each => getComputedStyle(each).unicodeBidi") in {"isolate", "plaintext"}


async def boxes(tab: Tab, part: str) -> list[dict[str, float]]:
    """The boxes of the parts of each row."""
    found: list[dict[str, float]] = await tab.list.locator(f"[part~={part}]").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().toJSON())"
    )
    return found


async def overflows(tab: Tab) -> list[str]:
    """The rows with a part that is wider than the list."""
    wide: list[str] = await tab.list.evaluate(
        """list => [...list.querySelectorAll("[part~=item] *")]
          .filter(each => each.getBoundingClientRect().right > list.getBoundingClientRect().right + 1)
          .map(each => each.textContent.slice(0, 20))"""
    )
    return wide
