"""The use of an action reaches each device of the user: at once, by replay, and after a reconnect."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.ports import free_port
from tests.support.realtime import Client, Realtime, running_gateway
from tests.support.sending import notification
from tidings.protocol.notifications import Action
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.store import Store

CHOICES = (Action("approve", "Approve"), Action("reject", "Reject"))
Frame = dict[str, Any]


@pytest.fixture
async def second_gateway(settings: Settings, token: TokenMaker) -> AsyncIterator[Realtime]:
    """A second gateway on the same store."""
    other = msgspec.structs.replace(settings, realtime_port=free_port())
    async with running_gateway(other):
        yield Realtime(other.realtime_port, token)


async def ask(store: Store, **target: Any) -> str:
    """Accept a notification with actions; its id."""
    sent = await store.sends.send("demo", [notification("May I?", actions=CHOICES, **target)])
    return sent.ids[0]


async def answer_to(client: Client, ref: int | str) -> Frame:
    """The answer with that ref; other frames before it are skipped."""
    while (frame := await client.next()).get("ref") != ref:
        pass
    return frame


async def test_every_device_gets_an_action(
    store: Store, realtime: Realtime, second_gateway: Realtime, working: None
) -> None:
    """A used action reaches the user's connections on every gateway, and no other user."""
    async with (
        realtime.user("ana") as phone,
        realtime.user("ana") as tablet,
        second_gateway.user("ana") as laptop,
        second_gateway.user("bob") as bob,
    ):
        identity = await ask(store, to_all=True)
        for device in (phone, tablet, laptop, bob):
            await device.expect("notification")
        await phone.send("act", id=identity, action="approve", ref="r1")
        answer = await answer_to(phone, "r1")
        assert (answer["type"], answer["acted"]["id"], answer["changes"]) == ("state", identity, [])
        assert (answer["acted"]["action"]["id"], answer["state_version"]) == ("approve", 1)
        assert (answer["counts"]["unseen"], answer["counts"]["unread"]) == (1, 1)
        for device in (tablet, laptop):
            received = await device.expect("state")
            assert (received["acted"], received["counts"]) == (answer["acted"], answer["counts"])
            assert "ref" not in received
        assert await bob.settle() == []


async def test_two_devices_at_once(store: Store, realtime: Realtime, second_gateway: Realtime) -> None:
    """Of two devices that use different actions at once one wins, and the other gets `action_used`."""
    async with realtime.user("ana") as phone, second_gateway.user("ana") as laptop:
        for turn in range(20):
            identity = await ask(store, users=["ana"])
            await asyncio.gather(
                phone.send("act", id=identity, action="approve", ref=turn),
                laptop.send("act", id=identity, action="reject", ref=turn),
            )
            answers = [await answer_to(phone, turn), await answer_to(laptop, turn)]
            assert sorted(answer["type"] for answer in answers) == ["error", "state"]
            (refused,) = [answer for answer in answers if answer["type"] == "error"]
            (used,) = [answer["acted"]["action"] for answer in answers if answer["type"] == "state"]
            assert refused["code"] == "action_used"
            assert repr(used["id"]) in refused["detail"]
            assert used["at"] in refused["detail"]
            await phone.send("act", id=identity, action=used["id"], ref="again")
            again = await answer_to(phone, "again")
            assert (again["type"], again["acted"]["action"]) == ("state", used)


@pytest.mark.parametrize("target", [{"users": ["ana"]}, {"to_all": True}, {"groups": ["team"]}])
async def test_a_replay_has_the_action(
    store: Store, realtime: Realtime, working: None, target: dict[str, Any]
) -> None:
    """A notification that is replayed has the action that its user used, and for others it has none."""
    await store.groups.change("demo", "team", ["ana", "bob"], [])
    async with realtime.user("ana") as ana, realtime.user("bob") as bob:
        epoch, known = ana.frames[0]["epoch"], ana.frames[0]["state_version"]
        identity = await ask(store, **target)
        await ana.until("notification")
        await ana.send("act", id=identity, action="reject", ref=1)
        used = (await answer_to(ana, 1))["acted"]["action"]
        del bob
    resume = {"epoch": epoch, "positions": {}, "state_version": known}
    async with realtime.user("ana", resume=resume) as ana:
        replayed, *_ = [f for f in await ana.until("caught_up") if f["type"] == "notification"]
        assert (replayed["action"], replayed["replayed"]) == (used, True)
        # The change while away follows, as a mark does.
        assert (await ana.expect("state"))["acted"] == {"id": identity, "action": used}
        assert await ana.settle() == []
    if target != {"users": ["ana"]}:
        async with realtime.user("bob", rewind=1) as bob:
            (other, _) = await bob.until("caught_up")
            assert "action" not in other


async def test_a_rewind_of_many(store: Store, realtime: Realtime) -> None:
    """Among 150 replayed notifications exactly those with an action have it, in order with marks between."""
    ids = [await ask(store, users=["ana"]) for _ in range(150)]
    for number in range(0, 150, 7):
        await store.acting.act("demo", "ana", ids[number], "approve" if number % 2 else "reject")
    await store.marks.mark("demo", "ana", MarkInbox(state="read", all=True))
    async with realtime.user("ana", rewind=150) as ana:
        replayed = [f for f in await ana.until("caught_up") if f["type"] == "notification"]
        assert [frame["notification"]["id"] for frame in replayed] == ids
        expected = ["approve" if n % 2 else "reject" if n % 7 == 0 else None for n in range(150)]
        expected = [each if n % 7 == 0 else None for n, each in enumerate(expected)]
        assert [frame.get("action", {}).get("id") for frame in replayed] == expected


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"action": "approve"}, "invalid_request"),
        ({"id": "{id}"}, "invalid_request"),
        ({"id": "{id}", "action": None}, "invalid_request"),
        ({"id": "{id}", "action": 7}, "invalid_request"),
        ({"id": ["{id}"], "action": "approve"}, "invalid_request"),
        ({"id": "{id}", "action": "maybe"}, "unknown_action"),
        ({"id": "{id}", "action": ""}, "unknown_action"),
        ({"id": "{id}", "action": "a" * 60_000}, "unknown_action"),
        ({"id": "0198c5f0-0000-7000-8000-000000000000", "action": "approve"}, "not_found"),
        ({"id": "\u0000" * 1000, "action": "approve"}, "not_found"),
        ({"id": "", "action": "approve"}, "not_found"),
    ],
)
async def test_bad_actions(store: Store, realtime: Realtime, fields: Frame, code: str) -> None:
    """An invalid use gets an error of one code with its ref, changes nothing, and the connection stays."""
    async with realtime.user("ana") as ana:
        identity = await ask(store, users=["ana"])
        await ana.expect("notification")
        given = json_with(fields, identity)
        await ana.send("act", ref="bad", **given)
        error = await ana.expect("error")
        assert (error["code"], error["ref"]) == (code, "bad")
        assert len(error["detail"]) < 500
        if code == "unknown_action":
            assert "'approve', 'reject'" in error["detail"]
        await ana.send("act", id=identity, action="approve", ref="good")
        assert (await ana.expect("state"))["ref"] == "good"


def json_with(fields: Frame, identity: str) -> Frame:
    """The fields with the id of a notification."""
    return msgspec.json.decode(msgspec.json.encode(fields).replace(b"{id}", identity.encode()))  # type: ignore[no-any-return]


async def test_no_inbox_no_action(realtime: Realtime, store: Store) -> None:
    """A connection without an inbox cannot use an action."""
    async with realtime.user("shop", inbox=False, claims={"scope": "send"}) as shop:
        await shop.send("act", id=await ask(store, users=["ana"]), action="approve", ref=1)
        error = await shop.expect("error")
        assert (error["code"], error["ref"]) == ("invalid_request", 1)
