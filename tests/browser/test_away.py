"""A client that was not connected gets all notifications that it missed, in order, each once."""

import asyncio
import time

import httpx
import jwt
from playwright.async_api import Route, expect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Device, Sender, thaw
from tests.support.no_tls import NO_TLS
from tests.support.sending import eventually
from tests.support.stack import Stack

# The server accepts an expired token for this many seconds more.
LEEWAY_SECONDS = 5

# The demo page posts each arrival to its parent window; without one that is its own window.
ARRIVALS = """globalThis.arrived = [];
addEventListener("message", ({ data }) => { if (data.arrived) arrived.push(data.arrived); });"""


async def test_offline_for_five_hundred(device: NewDevice, dev: Stack) -> None:
    """A page shows that it is offline, and then has all 500 missed notifications in order, each once."""
    phone = await device()
    tab = await phone.tab("ana")
    await tab.record()
    Sender(dev).send("Before", users=["ana"])
    await tab.arrived(1)
    await tab.look()
    await phone.context.set_offline(True)
    await tab.reaches("offline")
    await expect(tab.strip).to_contain_text("offline")
    await expect(tab.titles).to_have_text(["Before"])
    titles = [f"While offline {n}" for n in range(500)]
    await asyncio.to_thread(Sender(dev).send, *titles, users=["ana"])
    await stored(dev, "ana", 501)
    await phone.context.set_offline(False)
    assert await tab.arrived(501) == ["Before", *titles]
    await expect(tab.strip).to_be_hidden()
    await expect(tab.badge).to_have_text("99+")
    assert await tab.listed() == ["Before", *titles][::-1]
    assert await tab.page.evaluate(f"{CLIENT}.counts.unread") == 501


async def test_marks_made_offline(device: NewDevice, dev: Stack) -> None:
    """Marks that a reader makes offline stay in the list, and the server gets them in order later."""
    phone = await device()
    tab = await phone.tab("ana")
    Sender(dev).send("Gone", "Back again", users=["ana"])
    await stored(dev, "ana", 2)
    await tab.look()
    await expect(tab.titles).to_have_text(["Back again", "Gone"])
    archive = tab.list.get_by_role("button", name="Archive")
    undo = tab.inbox.get_by_role("button", name="Undo")
    await phone.context.set_offline(True)
    await tab.reaches("offline")
    await archive.first.click()
    await expect(tab.titles).to_have_text(["Gone"])
    await undo.click()
    await expect(tab.titles).to_have_text(["Back again", "Gone"])
    await archive.last.click()
    await expect(tab.titles).to_have_text(["Back again"])

    async def archived() -> list[str]:
        path = "/v1/users/ana/notifications?state=archived"
        headers = {"authorization": f"Bearer {dev.token('reader', 'read')}"}
        async with httpx.AsyncClient(
            base_url=dev.api, headers=headers, trust_env=False, verify=NO_TLS
        ) as api:
            items = (await api.get(path)).json()["items"]
        return [item["notification"]["title"] for item in items]

    assert await archived() == []
    await phone.context.set_offline(False)
    await tab.reaches("connected")
    await eventually(archived, expected=["Gone"])
    await expect(tab.titles).to_have_text(["Back again"])


async def test_a_frozen_tab_catches_up(laptop: Device, dev: Stack) -> None:
    """A tab that was frozen gets all notifications that it missed, in order, each once."""
    tab = await laptop.tab("bob")
    await tab.record()
    await tab.look()
    Sender(dev).send("Before", users=["bob"])
    await tab.arrived(1)
    await laptop.context.new_page()  # now in the foreground
    sleeping = await tab.freeze()
    titles = [f"While asleep {n}" for n in range(120)]
    Sender(dev).send(*titles, users=["bob"])
    await stored(dev, "bob", 121)
    assert await tab.page.evaluate("arrived") == ["Before"]
    await thaw(sleeping)
    await tab.page.bring_to_front()
    assert await tab.arrived(121) == ["Before", *titles]
    await expect(tab.badge).to_have_text("99+")
    assert await tab.listed() == ["Before", *titles][::-1]


async def test_closed_and_opened_again(device: NewDevice, dev: Stack) -> None:
    """A page that is opened again resumes where its browser was, and no notification arrives twice."""
    phone = await device()
    tab = await phone.tab("ana")
    await tab.record()
    Sender(dev).send("Before", users=["ana"])
    await tab.arrived(1)
    await tab.page.close()
    missed = Sender(dev).send("While closed 1", "While closed 2", users=["ana"])
    await stored(dev, "ana", 3)
    tab = await phone.tab("ana", ARRIVALS)
    assert await tab.arrived(2) == missed
    await expect(tab.badge).to_have_text("3")
    await tab.look()
    assert await tab.listed() == ["While closed 2", "While closed 1", "Before"]


async def test_a_token_that_expired_while_away(device: NewDevice, dev: Stack) -> None:
    """After 4200 the page fetches one new token, and loses no notification."""
    phone = await device()
    given: list[str] = []
    # The page takes the token for a valid one, because its lifetime has not begun by the page's clock.
    short = token(dev, "ana", 4 - LEEWAY_SECONDS)

    async def answer(route: Route) -> None:
        if given and not back:
            await route.fulfill(status=503, json={})
            return
        given.append(token(dev, "ana", 600) if given else short)
        await route.fulfill(status=201, json={"token": given[-1], "realtime_url": dev.realtime})

    back = False
    await phone.context.route("**/demo/tokens", answer)
    tab = await phone.tab("ana")
    await tab.record()
    await tab.page.evaluate(
        f"() => {{ globalThis.codes = []; {CLIENT}.on('status', ({{ code }}) => code && codes.push(code)); }}"
    )
    await phone.context.set_offline(True)
    await tab.reaches("offline")
    await eventually(lambda: refusal(dev, short), expected="expired_token")
    titles = [f"While away {n}" for n in range(20)]
    Sender(dev).send(*titles, users=["ana"])
    await stored(dev, "ana", 20)
    back = True
    await phone.context.set_offline(False)
    assert await tab.arrived(20) == titles
    assert await tab.page.evaluate("codes") == [4200]
    assert len(given) == 2
    await expect(tab.badge).to_have_text("20")
    await tab.look()
    assert await tab.listed() == titles[::-1]


async def refusal(dev: Stack, token: str) -> str:
    """The reason why the API refuses a token; empty while it accepts it."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=dev.api, headers=headers, trust_env=False, verify=NO_TLS) as api:
        return str((await api.get("/v1/me/notifications?limit=1")).json().get("code", ""))


def token(dev: Stack, user: str, seconds: int) -> str:
    """A token of a user that expires in this number of seconds."""
    tenant, kid, secret = dev.key.split(".")
    now = int(time.time())
    claims = {"iss": tenant, "sub": user, "aud": "tidings", "scope": "inbox"}
    times = {"iat": now - 120, "exp": now + seconds}
    return jwt.encode({**claims, **times}, secret, algorithm="HS256", headers={"kid": kid})
