"""The server's own pages work under a strict policy."""

from html.parser import HTMLParser

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import NewDevice
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack

PAGES = ("/", "/demo/users/ana", "/docs")


class Inline(HTMLParser):
    """Finds inline scripts, styles and handlers of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the inline code of an element."""
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        self.found += [value for _, value in attrs if value and value.lower().startswith("javascript:")]


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_inline(dev: Stack, path: str) -> None:
    """No page has an inline script, style or handler, and the policy would run none."""
    async with httpx.AsyncClient(base_url=dev.api, trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(path)
    inline = Inline()
    inline.feed(answer.text)
    assert inline.found == []
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert {policy[name] for name in ("default-src", "base-uri", "form-action")} == {"'none'"}
    assert policy["require-trusted-types-for"] == "'script'"
    allowed = " ".join(policy.values())
    assert not [word for word in ("unsafe", "data:", "blob:", "*", "nonce-") if word in allowed]
    assert policy["frame-ancestors"] == ("'self'" if path.startswith("/demo/") else "'none'")


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_refused(device: NewDevice, dev: Stack, path: str) -> None:
    """The policy refuses nothing on a page, and the page loads nothing from other hosts."""
    page = await (await device()).context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{dev.api}{path}")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert [url for url in asked if not url.startswith(f"{dev.api}/")] == []


async def test_a_refusal_is_a_fault(device: NewDevice, dev: Stack) -> None:
    """A refusal by the policy on any page of these tests is a fault of its device."""
    phone = await device()
    tab = await phone.tab("ana")
    assert phone.faults == []
    await tab.page.evaluate("document.body.setAttribute('style', 'color: red')")
    await phone.forgive("style-src-attr")
