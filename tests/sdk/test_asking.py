"""Actions and messages of a live inbox: their frames, their answers, and a connection that is lost."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.sdk.gateway import Gateway, Peer, notification
from tidings import (
    Acted,
    Changed,
    FrameRefusedError,
    InvalidArgumentError,
    LiveInbox,
    UnansweredError,
    UsedAction,
)

AT = "2026-11-22T07:00:03.000Z"
ACTED = {"id": "n1", "action": {"id": "approve", "at": AT}}
USED = UsedAction("approve", datetime.fromisoformat(AT))
WITH_ACTIONS = {**notification(1), "actions": [{"id": "approve", "label": "Approve"}]}


async def deliver(peer: Peer) -> None:
    """Deliver a notification with an action."""
    await peer.send("notification", log="user", position=1, notification=WITH_ACTIONS)


async def change(inbox: LiveInbox) -> Changed:
    """The next change of state."""
    async with asyncio.timeout(20):
        async for event in inbox.events():
            if isinstance(event, Changed):
                return event
    raise AssertionError("the inbox ended")


async def test_an_action_is_sent_again_until_it_is_answered() -> None:
    """An action whose connection breaks is sent again on the next one; its result is the first use."""
    asked: list[dict[str, Any]] = []

    async def first(peer: Peer) -> None:
        await peer.welcome()
        await deliver(peer)
        asked.append(await peer.recv("act"))
        peer.drop()

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete", user=1)
        asked.append(await peer.recv("act"))
        await peer.state(2, changes=[], acted=ACTED, ref=asked[1]["ref"])

    async with Gateway.playing(first, second) as gateway, gateway.inbox() as inbox:
        delivery = await anext(inbox)
        assert delivery.action is None
        assert await delivery.act("approve") == Acted("n1", USED)
        assert asked[0] == asked[1]
        assert {name: asked[0][name] for name in ("id", "action")} == {"id": "n1", "action": "approve"}
        assert delivery.action == USED


async def test_a_delivery_shows_the_action_of_another_device() -> None:
    """An action of another device is a change, and the delivery that the application holds has it."""
    shown = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await deliver(peer)
        await shown.wait()
        await peer.state(2, changes=[], acted=ACTED)
        await peer.send(
            "notification", log="user", position=2, notification=WITH_ACTIONS, replayed=True,
            action=ACTED["action"],
        )  # fmt: skip

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        delivery = await anext(inbox)
        before = delivery.action
        assert before is None
        shown.set()
        changed = await change(inbox)
        assert (changed.acted, changed.mine) == (Acted("n1", USED), False)
        assert changed.to_dict()["acted"] == ACTED
        assert delivery.action == USED
        assert (await anext(inbox)).action == USED


async def test_another_action_was_used() -> None:
    """An action after another one is refused with the code of the server."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        act = await peer.recv("act")
        await peer.send("error", code="action_used", detail="the user used 'stop'", ref=act["ref"])

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        with pytest.raises(FrameRefusedError, match="stop") as refused:
            await inbox.act("n1", "approve")
        assert refused.value.code == "action_used"


async def test_a_message_is_sent_again_with_the_same_key() -> None:
    """A message whose connection breaks is sent again with its key; the call returns the reply."""
    asked: list[dict[str, Any]] = []

    async def first(peer: Peer) -> None:
        await peer.welcome()
        asked.append(await peer.recv("message"))
        peer.drop()

    async def second(peer: Peer) -> None:
        await peer.welcome(resume="complete")
        asked.append(await peer.recv("message"))
        await peer.send("reply", ref="another", data=1)
        await peer.send("reply", ref=asked[1]["ref"], data={"said": True})
        asked.append(await peer.recv("message"))
        await peer.send("reply", ref=asked[2]["ref"])

    async with Gateway.playing(first, second) as gateway, gateway.inbox() as inbox:
        assert await inbox.message("chat/7", {"text": "Hi"}) == {"said": True}
        assert await inbox.message("leave", idempotency_key="mine") is None
    assert asked[0] == asked[1]
    assert {name: asked[0][name] for name in ("event", "data")} == {"event": "chat/7", "data": {"text": "Hi"}}
    assert asked[0]["idempotency_key"]
    assert (asked[2]["data"], asked[2]["idempotency_key"]) == (None, "mine")


async def test_the_failures_of_a_message() -> None:
    """A refusal raises with its code; after the timeout the outcome is not known."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        message = await peer.recv("message")
        await peer.send("error", code="no_upstream", detail="The tenant has none.", ref=message["ref"])

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        with pytest.raises(FrameRefusedError) as refused:
            await inbox.message("chat")
        assert refused.value.code == "no_upstream"
        with pytest.raises(UnansweredError, match="Repeat it"):
            await inbox.message("chat", timeout=0.1)


@pytest.mark.parametrize(
    ("event", "data", "options", "words"),
    [
        ("a b", None, {}, "event"),
        ("", None, {}, "event"),
        ("chat", {1, object()}, {}, "no form in JSON"),
        ("chat", "x" * 32_768, {}, "32,768 of a message"),
        ("chat", None, {"idempotency_key": ""}, "idempotency"),
        ("chat", None, {"key": "k"}, "idempotency_key"),
    ],
)
async def test_a_message_that_cannot_be_valid(event: str, data: Any, options: Any, words: str) -> None:
    """A message that the server would refuse raises before anything is sent."""

    async def script(peer: Peer) -> None:
        await peer.welcome()

    async with Gateway.playing(script) as gateway, gateway.inbox() as inbox:
        with pytest.raises(InvalidArgumentError, match=words):
            await inbox.message(event, data, **options)


async def test_the_same_for_blocking_code() -> None:
    """A blocking inbox and its deliveries use actions and send messages as the asynchronous ones do."""

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await deliver(peer)
        for version in (2, 3):
            act = await peer.recv("act")
            await peer.state(version, changes=[], acted=ACTED, ref=act["ref"])
        message = await peer.recv("message")
        await peer.send("reply", ref=message["ref"], data=message["data"])

    def use(gateway: Gateway) -> None:
        with (
            gateway.blocking_client() as client,
            client.listen(user="ana", realtime_url=gateway.url) as inbox,
        ):
            delivery = inbox.next(timeout=20)
            assert delivery.act("approve") == inbox.act(delivery, "approve") == Acted("n1", USED)
            assert delivery.action == USED
            assert inbox.message("chat", [1], timeout=20) == [1]

    async with Gateway.playing(script) as gateway:
        await asyncio.to_thread(use, gateway)
