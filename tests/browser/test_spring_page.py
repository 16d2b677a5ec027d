"""Pages written for Spring's simple broker, on the realtime port of `dev`, with their own libraries."""

import asyncio
import re
import sys
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import NewDevice
from tests.browser.screen import Sender
from tests.browser.test_demo_page import AXE
from tests.browser.test_own_pages import Inline
from tests.docs.documents import elsewhere
from tests.support.no_tls import NO_TLS
from tests.support.sending import eventually
from tests.support.stack import Stack, clean_environment
from tests.support.tree import ROOT

TUTORIAL = Path(__file__).parent / "pages/tutorial"
LIBRARIES = ROOT / "api/tidings_api/spring/libraries"
PHONE = {"width": 360, "height": 780}
# The query of the page, and the transport that it shows.
TRANSPORTS = {
    "": "WebSocket",
    "?transports=xhr-streaming": "XHR streaming",
    "?transports=eventsource": "EventSource",
    "?transports=xhr-polling": "XHR polling",
}


def origin(dev: Stack) -> str:
    """The realtime port by HTTP."""
    return dev.realtime.replace("ws", "http", 1).partition("/v1/")[0]


async def joined(device: NewDevice, dev: Stack, name: str, query: str = "", **options: object) -> Page:
    """The page after a person has joined the chat."""
    page = await (await device(**options)).context.new_page()
    await page.goto(f"{origin(dev)}/spring{query}")
    await join(page, name)
    return page


async def join(page: Page, name: str) -> None:
    """Enter a name, and wait for the own message that says it."""
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("log")).to_contain_text(f"{name} joined")


async def say(page: Page, text: str) -> None:
    """Send a message."""
    await page.get_by_label("Message", exact=True).fill(text)
    await page.get_by_role("button", name="Send").click()


async def said(page: Page, *texts: str) -> None:
    """Wait until the last messages, with their senders, are these."""
    rows = page.get_by_role("log").get_by_role("listitem")
    for index, text in enumerate(texts):
        await expect(rows.nth(index - len(texts))).to_have_text(text)


@pytest.mark.parametrize("query", TRANSPORTS)
async def test_two_tabs_chat(device: NewDevice, dev: Stack, query: str) -> None:
    """Two tabs get each message once and in order, with WebSocket and with every other transport."""
    phone = await device()
    ana, bob = await phone.context.new_page(), await phone.context.new_page()
    for page, name in ((ana, "Ana"), (bob, "Bob")):
        await page.goto(f"{origin(dev)}/spring{query}")
        assert await page.evaluate("typeof WebSocket") == ("undefined" if query else "function")
        await join(page, name)
        status = re.compile(rf"^Connected as guest-[0-9a-f]{{16}} by {TRANSPORTS[query]}\.$")
        await expect(page.get_by_role("status")).to_have_text(status)
    await said(ana, "Bob joined")
    await say(ana, "Hello <b>Bob</b> & all")
    await said(bob, "Bob joined", "AAnaHello <b>Bob</b> & all")
    await say(bob, "Hi \u00e4\u2028\U0001f600")
    for page in (ana, bob):
        await said(page, "AAnaHello <b>Bob</b> & all", "BBobHi \u00e4\u2028\U0001f600")


async def test_the_switch_takes_websocket_away(device: NewDevice, dev: Stack) -> None:
    """The switch reloads the page without WebSocket and back, and the second tab keeps the choice."""
    page = await joined(device, dev, "Ana")
    await page.get_by_role("link", name="Without WebSocket").click()
    await join(page, "Ana")
    await expect(page.get_by_role("status")).to_contain_text("by XHR streaming")
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Second tab").click()
    second = await opened.value
    await join(second, "Bob")
    await expect(second.get_by_role("status")).to_contain_text("by XHR streaming")
    await page.get_by_role("link", name="All transports").click()
    await join(page, "Ana")
    await expect(page.get_by_role("status")).to_contain_text("by WebSocket")


async def test_the_python_program_of_the_page(device: NewDevice, dev: Stack) -> None:
    """The program that the page shows in place of `convertAndSend` says its text in the chat."""
    page = await joined(device, dev, "Ana")
    program = await page.locator("#snippet-all").inner_text()
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), env=clean_environment(TIDINGS_URL=dev.api, TIDINGS_KEY=dev.key)
    )
    async with asyncio.timeout(60):
        assert await done.wait() == 0
    await said(page, "PPythonHello")


async def test_the_scripts_of_the_document(device: NewDevice, dev: Stack) -> None:
    """The scripts of docs/spring.md run in a page: a guest chats, and a user gets the own messages."""
    of_a_guest, of_a_user = elsewhere(ROOT / "docs/spring.md", "tests/browser")
    page = await (await device()).context.new_page()
    await page.goto(f"{origin(dev)}/spring")
    shown = "globalThis.shown = []; const show = (message) => shown.push(message)"
    await page.evaluate(f"() => {{ {shown}\n{of_a_guest} }}")

    async def seen() -> object:
        return await page.evaluate("shown")

    await eventually(seen, expected=[{"sender": "Ana", "content": "Hello"}])
    client = f"const token = '{dev.token('ana')}'; const stompClient = Stomp.over(new SockJS('/ws'))"
    await page.evaluate(f"() => {{ {shown}\n{client}\n{of_a_user} globalThis.user = stompClient }}")

    async def subscribed() -> object:
        return await page.evaluate("Object.keys(user.subscriptions).length")

    await eventually(subscribed, expected=1)
    Sender(dev).send_all([{"to": {"users": ["ana"]}, "category": "orders", "data": {"order": 1}}])
    await eventually(seen, expected=[{"order": 1}])


async def test_the_frames_are_shown(device: NewDevice, dev: Stack) -> None:
    """The drawer shows the frames of STOMP, newest first, and can be cleared."""
    page = await joined(device, dev, "Ana")
    await page.get_by_text("STOMP frames").click()
    commands = page.locator("#frames td:nth-child(3)")
    await expect(commands).to_have_text(["MESSAGE", "SEND", "SUBSCRIBE", "SUBSCRIBE", "CONNECTED", "CONNECT"])
    await page.get_by_role("button", name="Clear").click()
    await expect(page.locator("#frame-count")).to_have_text("0")


async def test_a_refusal_is_shown(device: NewDevice, dev: Stack) -> None:
    """When the server ends the connection, the page and its status line say so."""
    page = await joined(device, dev, "Ana")
    await page.evaluate("stompClient.send('/topic/public', {}, '{}')")
    await expect(page.locator(".state.offline")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_text("Not connected. Reload the page to try again.")
    await expect(page.get_by_label("Message", exact=True)).to_be_disabled()


async def test_by_key_alone(device: NewDevice, dev: Stack) -> None:
    """The keyboard alone joins and writes; the focus is in the field of the message after that."""
    page = await (await device()).context.new_page()
    await page.goto(f"{origin(dev)}/spring")
    for _ in range(8):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == "name":
            break
    await page.keyboard.type("Ana")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.type("By key")
    await page.keyboard.press("Enter")
    await said(page, "AAnaBy key")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
async def test_the_page_is_accessible(device: NewDevice, dev: Stack, scheme: str, width: int) -> None:
    """Axe finds no fault before and in the chat, in light and dark, and no content overflows."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    # Axe is injected past the page's policy, which would forbid it.
    page = await (await device(bypass_csp=True, **options)).context.new_page()
    await page.goto(f"{origin(dev)}/spring")
    await page.add_script_tag(path=AXE)
    run = "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
    assert await page.evaluate(run) == []
    await join(page, "Ana")
    for number in range(8):
        await say(page, f"{number} " + "x" * 200)
    await said(page, "AAna7 " + "x" * 200)
    await page.locator("#drawer summary").click()
    assert await page.evaluate(run) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_nothing_is_inline(dev: Stack) -> None:
    """The page has no inline code, and its policy allows nothing but its own files and its own port."""
    async with httpx.AsyncClient(base_url=origin(dev), trust_env=False, verify=NO_TLS) as client:
        answer = await client.get("/spring")
        refused = await client.post("/spring")
        missing = await client.get("/spring/../spring/__init__.py")
        files = re.findall(r'(?:src|href)="(/spring/[^"?]+)"', answer.text)
        assert len(set(files)) == 11
        for file in files:
            assert (await client.get(file)).status_code == 200, file
    inline = Inline()
    inline.feed(answer.text)
    assert inline.found == []
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert {policy[name] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")} == {
        "'none'"
    }
    assert {value for name, value in policy.items() if name.endswith("-src") and name != "default-src"} == {
        "'self'"
    }
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert missing.status_code == 404


async def test_the_demo_page_has_a_link(device: NewDevice, dev: Stack) -> None:
    """The demo page of the API leads to this page, and this page leads back."""
    page = await (await device()).context.new_page()
    await page.goto(f"{dev.api}/")
    await page.get_by_role("link", name="Spring page").click()
    await expect(page).to_have_url(f"{origin(dev)}/spring")
    await page.get_by_role("link", name="Demo page").click()
    await expect(page).to_have_url(f"{dev.api}/")


async def test_a_page_of_a_tutorial_runs_unchanged(device: NewDevice, dev: Stack) -> None:
    """A page as tutorials of Spring have it connects, and chats with the page of `dev`."""

    async def file(route: Route) -> None:
        """The page on the origin of the gateway, and its libraries, which it loads from a CDN."""
        name = route.request.url.rpartition("/")[2] or "index.html"
        await route.fulfill(path=(TUTORIAL if "/tutorial/" in route.request.url else LIBRARIES) / name)

    page = await (await device()).context.new_page()
    await page.route(f"{origin(dev)}/tutorial/*", file)
    await page.route("https://cdnjs.cloudflare.com/**", file)
    await page.goto(f"{origin(dev)}/tutorial/")
    await page.get_by_placeholder("Username").fill("Cleo")
    await page.get_by_role("button", name="Start").click()
    rows = page.locator("#messageArea li")
    await expect(rows).to_have_text(["Cleo: Cleo joined!"])
    await expect(page.locator(".connecting")).to_be_hidden()
    other = await joined(device, dev, "Ana")
    await page.locator("#message").fill("from the tutorial")
    await page.get_by_role("button", name="Send").click()
    await said(other, "CCleofrom the tutorial")
    await say(other, "welcome")
    await expect(rows.last).to_have_text("Ana: welcome")
