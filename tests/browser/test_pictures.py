"""The pictures of the documentation, taken of the real server.

`make pictures` writes them to docs/images; every other run writes them to a temporary directory.
"""

import json
import mimetypes
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser import past
from tests.browser.conftest import NewDevice
from tests.browser.past import Sent
from tests.browser.screen import Sender, Tab
from tests.browser.site import Answers, site
from tests.support.no_tls import NO_TLS
from tests.support.stack import Stack
from tests.support.tree import ROOT

PAGES = Path(__file__).parent / "pages"
DESK = {"width": 760, "height": 680}

USUAL = (
    Sent(
        ago=timedelta(seconds=20),
        notification={
            "title": "New comment on your report",
            "body": "“Could you have a look at the numbers before the review?”",
            "category": "Comments",
            "icon": "/shop/comment.svg",
            "link": "/shop/comments/1",
        },
    ),
    Sent(
        ago=timedelta(minutes=14),
        notification={
            "title": "Deploy needs your approval",
            "body": "web 4.12.0 is ready for production.",
            "category": "Deploys",
            "actions": [
                {"id": "approve", "label": "Approve"},
                {"id": "view", "label": "View changes", "link": "/shop/deploys/412"},
            ],
        },
    ),
    Sent(
        ago=timedelta(minutes=95),
        notification={
            "title": "Payment failed for invoice 118",
            "body": "The card was declined. The next try is tomorrow.",
            "category": "Billing",
            "priority": "urgent",
            "link": "/shop/billing",
        },
    ),
    Sent(
        ago=timedelta(days=1, hours=1),
        notification={
            "title": "Your parcel is on its way",
            "body": "Parcel 4711 arrives tomorrow between 9 and 12.",
            "category": "Orders",
            "icon": "/shop/parcel.svg",
            "link": "/shop/orders/4711",
        },
        read=True,
    ),
    Sent(
        ago=timedelta(days=1, hours=2),
        notification={"title": "bob joined team-7", "category": "Teams"},
        read=True,
    ),
    Sent(
        ago=timedelta(days=4),
        notification={
            "title": "Weekly summary",
            "body": "12 deploys, 3 incidents, 48 comments.",
            "category": "Reports",
        },
        read=True,
    ),
)
ARABIC = (
    Sent(
        ago=timedelta(seconds=20),
        notification={
            "title": "تعليق جديد على تقريرك",
            "body": "هل يمكنك مراجعة الأرقام قبل اجتماع الخميس؟",
            "category": "تعليقات",
            "icon": "/shop/comment.svg",
        },
    ),
    Sent(
        ago=timedelta(minutes=14),
        notification={
            "title": "النشر بانتظار موافقتك",
            "body": "الإصدار web 4.12.0 جاهز.",
            "actions": [
                {"id": "approve", "label": "موافقة"},
                {"id": "view", "label": "عرض التغييرات", "link": "/shop/deploys/412"},
            ],
        },
    ),
    Sent(
        ago=timedelta(minutes=95),
        notification={
            "title": "فشل دفع الفاتورة 118",
            "body": "رُفضت البطاقة. المحاولة التالية غدًا.",
            "priority": "urgent",
        },
    ),
    Sent(
        ago=timedelta(days=1, hours=1),
        notification={"title": "طردك في الطريق", "body": "يصل الطرد 4711 غدًا.", "icon": "/shop/parcel.svg"},
        read=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Shot:
    """The view of a page for its picture."""

    inbox: tuple[Sent, ...] = USUAL
    size: dict[str, int] = field(default_factory=lambda: DESK)
    dark: bool = False
    touch: bool = False
    language: str = "en"
    attributes: str = ""


SHOTS = {
    "inbox-light": Shot(),
    "inbox-dark": Shot(dark=True),
    "inbox-rtl": Shot(inbox=ARABIC, language="ar"),
    "inbox-phone": Shot(size={"width": 390, "height": 780}, touch=True),
    "inbox-page": Shot(size={"width": 1000, "height": 680}, attributes='mode="page"'),
    "toasts": Shot(attributes="toasts"),
}


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory for the pictures."""
    chosen = os.environ.get("PICTURES")
    return ROOT / chosen if chosen else tmp_path_factory.mktemp("pictures")


def morning() -> str:
    """A time zone in which it is ten o'clock, so that an item that is an hour old is of today."""
    return f"Etc/GMT{(datetime.now(UTC).hour + 2) % 24 - 12:+d}"


async def fill(dev: Stack, inbox: tuple[Sent, ...]) -> None:
    """Fill the inbox of ana."""
    to_ana = [
        Sent(ago=each.ago, notification={**each.notification, "to": {"users": ["ana"]}}) for each in inbox
    ]
    ids = await past.send(dev, to_ana)
    read = [identity for identity, each in zip(ids, inbox, strict=True) if each.read]
    headers = {"authorization": f"Bearer {dev.token('shop', 'users')}"}
    async with httpx.AsyncClient(base_url=dev.api, headers=headers, trust_env=False, verify=NO_TLS) as api:
        marked = await api.post("/v1/users/ana/notifications/mark", json={"ids": read, "state": "read"})
    assert marked.json()["changed"] == len(read)


def shop(dev: Stack, shot: Shot) -> Answers:
    """A page of a customer with the widget, and the token of ana, who is logged in."""
    token = {"token": dev.token("ana"), "realtime_url": dev.realtime}
    values = {
        "api": dev.api,
        "language": shot.language,
        "direction": "rtl" if shot.language == "ar" else "ltr",
        "attributes": shot.attributes,
    }

    def answers(path: str) -> tuple[str, str] | None:
        name = path.removeprefix("/shop/")
        if name == "token":
            return "application/json", json.dumps(token)
        file = PAGES / (name or "shop.html")
        kind = mimetypes.guess_type(file)[0] or "text/plain"
        if not file.is_file():
            return None
        text = file.read_text(encoding="utf-8")
        return kind, Template(text).substitute(values) if file.suffix == ".html" else text

    return answers


STILL = """async () => {
  const all = document.getAnimations({ subtree: true });
  await Promise.all(all.map(({ finished }) => finished));
  const roots = [document, ...[...document.querySelectorAll("*")].flatMap((e) => e.shadowRoot ?? [])];
  const images = roots.flatMap((root) => [...root.querySelectorAll("img")]);
  await Promise.all(images.map((image) => image.decode()));
}"""


async def still(page: Page) -> None:
    """Wait until images are loaded and animations are finished, also in frames."""
    for frame in page.frames:
        await frame.evaluate(STILL)


async def take(page: Page, album: Path, name: str) -> None:
    """Take the picture."""
    await still(page)
    await page.screenshot(path=album / f"{name}.png")


def look(shot: Shot) -> dict[str, Any]:
    """The options of a browser for this view."""
    return {
        "viewport": shot.size,
        "color_scheme": "dark" if shot.dark else "light",
        "device_scale_factor": 2,
        "has_touch": shot.touch,
        "is_mobile": shot.touch,
        "timezone_id": morning(),
        "locale": shot.language,
    }


@pytest.mark.parametrize("name", sorted(SHOTS))
async def test_of_the_widget(device: NewDevice, dev: Stack, album: Path, name: str) -> None:
    """The widget shows an inbox of several days, as in the documentation."""
    shot = SHOTS[name]
    if "toasts" not in shot.attributes:
        await fill(dev, shot.inbox)
    ana = await device(**look(shot))
    async with site(shop(dev, shot)) as origin:
        page = await ana.context.new_page()
        await page.goto(f"{origin}/shop/")
        await shows(page, dev, shot)
        await take(page, album, name)


async def shows(page: Page, dev: Stack, shot: Shot) -> None:
    """Bring the page into the state for its picture."""
    inbox = page.locator("tidings-inbox")
    await Tab(page).reaches("connected")
    if "toasts" in shot.attributes:
        chosen = (USUAL[3], USUAL[1], USUAL[2])
        Sender(dev).send_all([{**each.notification, "to": {"users": ["ana"]}} for each in chosen])
        await expect(page.locator("tidings-toasts [part~=toast]")).to_have_count(3)
    else:
        if "page" not in shot.attributes:
            await inbox.locator("[part~=bell]").click()
        titles = [each.notification["title"] for each in shot.inbox]
        await expect(inbox.locator("[part~=item-title]")).to_have_text(titles)
        await expect(inbox.get_by_text(titles[0])).to_be_in_viewport()
        await expect(inbox.locator("[part~=day]:visible")).to_have_count(
            len({e.ago.days for e in shot.inbox})
        )


async def test_of_the_demo_page(device: NewDevice, dev: Stack, album: Path) -> None:
    """The demo page shows a send to the team: Ana's list is open, and Bob has a toast and a badge."""
    size = {"width": 1280, "height": 860}
    visitor = await device(**look(Shot(size=size)))
    page = await visitor.context.new_page()
    await page.goto(dev.api)
    for user in ("ana", "bob"):
        await expect(page.locator(f".state[data-user={user}]")).to_have_text("live")
    ana = page.frame_locator("iframe[title='The page that Ana has open']")
    await expect(ana.get_by_role("feed").locator("[part~=item-title]")).to_have_count(3)
    await page.get_by_label("Team", exact=True).check()
    await page.get_by_role("button", name="Alarm", exact=True).click()
    await expect(page.locator("#outcome")).to_contain_text("Ana saw it after")
    await expect(page.locator("#outcome")).to_contain_text("Bob saw it after")
    await expect(ana.get_by_role("feed").locator("[part~=item-title]")).to_have_count(4)
    bob = page.frame_locator("iframe[title='The page that Bob has open']")
    await expect(bob.locator("[part~=badge]")).to_have_text("4")
    await expect(bob.locator("[part~=toast]")).to_be_visible()
    await page.mouse.move(1, 1)
    await take(page, album, "demo")


async def test_of_the_page_for_spring(device: NewDevice, dev: Stack, album: Path) -> None:
    """The page for Spring shows a chat of two tabs, and the script that connects it."""
    visitor = await device(**look(Shot(size={"width": 1280, "height": 760})))
    ana, bob = await visitor.context.new_page(), await visitor.context.new_page()
    for page, name in ((ana, "Ana"), (bob, "Bob")):
        await page.goto(f"{dev.realtime.replace('ws', 'http', 1).partition('/v1/')[0]}/spring")
        await page.get_by_label("Your name").fill(name)
        await page.get_by_role("button", name="Join").click()
        await expect(page.get_by_role("log")).to_contain_text(f"{name} joined")
    talk = (
        (ana, "Good morning. Does this page need changes for Tidings?"),
        (bob, "None. The address is the same, and so is every line of the script."),
        (ana, "Then we keep it."),
    )
    for page, text in talk:
        await page.get_by_label("Message", exact=True).fill(text)
        await page.get_by_role("button", name="Send").click()
        await expect(ana.get_by_role("log")).to_contain_text(text)
    await ana.get_by_label("Message", exact=True).blur()
    await take(ana, album, "spring")


async def test_all_of_the_documents_are_taken_here() -> None:
    """The pictures of this module are exactly those that the documents show."""
    shown = set()
    for document in (ROOT / "README.md", ROOT / "docs/browser.md", ROOT / "docs/spring.md"):
        shown |= set(re.findall(r"images/([\w-]+)\.png", document.read_text(encoding="utf-8")))
    assert shown == {*SHOTS, "demo", "spring"}
