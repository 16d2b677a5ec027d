"""The server's own pages do only what their policy names, and the policy names little."""

from html.parser import HTMLParser

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import NewDevice
from tests.support.stack import Stack

PAGES = ("/", "/demo/users/ana", "/docs")


class Inline(HTMLParser):
    """Finds what a page has in it that belongs into a file of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """What is written into the page at this element."""
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        self.found += [value for _, value in attrs if value and value.lower().startswith("javascript:")]


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_inline(dev: Stack, path: str) -> None:
    """No script, style or handler stands in a page, and none would run: everything allowed is named."""
    async with httpx.AsyncClient(base_url=dev.api, trust_env=False) as client:
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
    """A page needs nothing that its policy refuses, and loads nothing from anywhere else."""
    page = await (await device()).context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{dev.api}{path}")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert [url for url in asked if not url.startswith(f"{dev.api}/")] == []


async def test_a_refusal_does_not_pass_unseen(device: NewDevice, dev: Stack) -> None:
    """What a policy refuses on any page of these tests is a fault of the device that it happened on."""
    phone = await device()
    tab = await phone.tab("ana")
    assert phone.faults == []
    await tab.page.evaluate("document.body.setAttribute('style', 'color: red')")
    await phone.forgive("style-src-attr")
