"""Whoever was away gets what was sent meanwhile: all of it, in order, once."""

import asyncio
import time

import jwt
from playwright.async_api import Route, expect

from tests.browser.conftest import NewDevice
from tests.browser.screen import CLIENT, Sender, thaw
from tests.support.stack import Stack


async def test_the_gateway_dies_and_comes_back(device: NewDevice, dev: Stack) -> None:
    """The page comes back by itself with everything sent meanwhile, and shows no error."""
    tab = await (await device()).tab("ana")
    await tab.record()
    sender = Sender(dev)
    sender.send("Before", users=["ana"])
    await tab.arrived(1)
    dev.kill("gateway")
    titles = [f"Meanwhile {n}" for n in range(30)]
    for title in titles:
        sender.send(title, users=["ana"])
    await tab.reaches("connected")
    assert await tab.arrived(31) == ["Before", *titles]
    await tab.look()
    await expect(tab.titles.first).to_have_text("Meanwhile 29")
    await expect(tab.strip).to_be_empty()


async def test_everything_is_stopped_and_started_again(device: NewDevice, dev: Stack) -> None:
    """A restart of the whole server is a pause: what is sent before the page is back comes with it."""
    tab = await (await device()).tab("bob")
    await tab.record()
    Sender(dev).send("Before", users=["bob"])
    await tab.arrived(1)
    assert dev.terminate() == 0
    await tab.reaches("offline")
    dev.start()
    Sender(dev).send("After one", "After two", users=["bob"])
    assert await tab.arrived(3) == ["Before", "After one", "After two"]


async def test_offline_for_five_hundred(device: NewDevice, dev: Stack) -> None:
    """A page without a network says so, and with it again has all five hundred in order, each once."""
    phone = await device()
    tab = await phone.tab("ana")
    await tab.record()
    await phone.context.set_offline(True)
    await tab.reaches("offline")
    titles = [f"While offline {n}" for n in range(500)]
    await asyncio.to_thread(Sender(dev).send, *titles, users=["ana"])
    await phone.context.set_offline(False)
    assert await tab.arrived(500) == titles
    await tab.look()

    await expect(tab.titles.first).to_have_text(titles[-1])


async def test_a_tab_that_was_asleep(device: NewDevice, dev: Stack) -> None:
    """A frozen tab runs nothing; when it wakes it has what was sent meanwhile, each once."""
    tab = await (await device()).tab("bob")
    await tab.record()
    sleeping = await tab.freeze()
    titles = [f"While asleep {n}" for n in range(20)]
    Sender(dev).send(*titles, users=["bob"])
    await thaw(sleeping)
    assert await tab.arrived(20) == titles


async def test_a_token_that_has_expired_is_asked_for_again(device: NewDevice, dev: Stack) -> None:
    """With an expired token the page gets another from its application and connects."""
    phone = await device()
    given: list[str] = []

    async def answer(route: Route) -> None:
        seconds = -60 if not given else 600
        given.append(token(dev, "ana", seconds))
        await route.fulfill(status=201, json={"token": given[-1], "realtime_url": dev.realtime})

    await phone.context.route("**/demo/tokens", answer)
    await phone.tab("ana")
    assert len(given) == 2


async def test_logged_out_is_left_alone(device: NewDevice, dev: Stack) -> None:
    """Where the application says that nobody is logged in the page stops, and asks no more."""
    phone = await device()
    asked = 0

    async def refuse(route: Route) -> None:
        nonlocal asked
        asked += 1
        await route.fulfill(status=401, json={})

    tab = await phone.tab("ana")
    await phone.context.route("**/demo/tokens", refuse)
    await tab.page.reload()
    await tab.reaches("stopped")
    assert asked == 1
    await phone.context.unroute("**/demo/tokens")
    await tab.page.evaluate(f"{CLIENT}.connect()")
    await tab.reaches("connected")


def token(dev: Stack, user: str, seconds: int) -> str:
    """A token of a user that ends in so many seconds."""
    tenant, kid, secret = dev.key.split(".")
    now = int(time.time())
    claims = {"iss": tenant, "sub": user, "aud": "tidings", "scope": "inbox"}
    times = {"iat": now - 120, "exp": now + seconds}
    return jwt.encode({**claims, **times}, secret, algorithm="HS256", headers={"kid": kid})
