"""Whoever was away gets what was sent meanwhile: all of it, in order, once."""

import asyncio
import time

import httpx
import jwt
from playwright.async_api import Route, expect

from tests.browser.application import stored
from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Device, Sender, thaw
from tests.support.sending import eventually
from tests.support.stack import Stack

# A token that has just ended is taken for this much longer.
LEEWAY_SECONDS = 5

# The demo page says what arrives to the window around it, which is its own where there is none.
ARRIVALS = """globalThis.arrived = [];
addEventListener("message", ({ data }) => { if (data.arrived) arrived.push(data.arrived); });"""


async def test_offline_for_five_hundred(device: NewDevice, dev: Stack) -> None:
    """A page without a network says so, and with it again has all five hundred in order, each once."""
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


async def test_a_laptop_that_was_asleep(laptop: Device, dev: Stack) -> None:
    """A frozen tab runs nothing; awake again it has what was sent meanwhile, in order, each once."""
    tab = await laptop.tab("bob")
    await tab.record()
    await tab.look()
    Sender(dev).send("Before", users=["bob"])
    await tab.arrived(1)
    await laptop.context.new_page()  # which is in front from now on
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
    """A page that is opened again goes on where its browser was: what it missed arrives, nothing twice."""
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
    """The server says 4200 on the return: the page asks for another token, once, and nothing is lost."""
    phone = await device()
    given: list[str] = []
    # The page takes it for one that holds, since by its own clock it never began.
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
    """Why the API refuses a token; empty while it does not."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=dev.api, headers=headers, trust_env=False) as api:
        return str((await api.get("/v1/me/notifications?limit=1")).json().get("code", ""))


def token(dev: Stack, user: str, seconds: int) -> str:
    """A token of a user that ends in so many seconds."""
    tenant, kid, secret = dev.key.split(".")
    now = int(time.time())
    claims = {"iss": tenant, "sub": user, "aud": "tidings", "scope": "inbox"}
    times = {"iat": now - 120, "exp": now + seconds}
    return jwt.encode({**claims, **times}, secret, algorithm="HS256", headers={"kid": kid})
