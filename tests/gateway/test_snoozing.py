"""Snoozes and returns reach each device of the user: at once, after a reconnect, and with right counts."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import TokenMaker
from tests.support.ports import free_port
from tests.support.realtime import Client, Realtime, running_gateway
from tests.support.sending import notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.config import Settings
from tidings_workers.store import Store
from tidings_workers.store.ids import milliseconds

Frame = dict[str, Any]
SOON = 300


@pytest.fixture
async def second_gateway(settings: Settings, token: TokenMaker) -> AsyncIterator[Realtime]:
    """A second gateway on the same store."""
    other = msgspec.structs.replace(settings, realtime_port=free_port())
    async with running_gateway(other):
        yield Realtime(other.realtime_port, token)


async def send(store: Store, title: str, **target: Any) -> str:
    """Accept a notification; its id."""
    return (await store.sends.send("demo", [notification(title, **target)])).ids[0]


async def snooze(store: Store, *ids: str, ahead: int | None = SOON) -> int:
    """Snooze for some ms, or end it. The time of the return."""
    until = None if ahead is None else milliseconds() + ahead
    await store.snoozing.snooze("demo", "ana", ids, until)
    return until or 0


async def stated(client: Client) -> Frame:
    """The next frame, which is a `state` frame."""
    frame: Frame = await client.expect("state")
    return frame


def numbers(frame: Frame) -> tuple[int, int]:
    return frame["counts"]["unseen"], frame["counts"]["unread"]


async def test_every_device_gets_snooze_and_return(
    store: Store, realtime: Realtime, second_gateway: Realtime, working: None
) -> None:
    """Each connection gets a frame at the snooze and one at the return, with the counts of that moment."""
    async with realtime.user("ana") as phone, second_gateway.user("ana") as laptop:
        read = await send(store, "read", users=["ana"])
        other = await send(store, "other", to_all=True)
        for device in (phone, laptop):
            await device.expect("notification")
            await device.expect("notification")
        await store.marks.mark("demo", "ana", MarkInbox(state="read", ids=(read,)))
        for device in (phone, laptop):
            assert numbers(await stated(device)) == (1, 1)
        until = await snooze(store, read, other)
        for device in (phone, laptop):
            frame = await stated(device)
            assert (frame["changes"], numbers(frame), frame["state_version"]) == ([], (0, 0), 2)
            assert sorted(frame["snoozed"]["ids"]) == sorted([read, other])
            assert milliseconds_of(frame["snoozed"]["until"]) == until
        for device in (phone, laptop):
            frame = await stated(device)
            assert milliseconds() >= until
            assert (numbers(frame), frame["state_version"]) == ((2, 2), 3)
            assert frame["snoozed"]["until"] is None
            assert sorted(frame["snoozed"]["ids"]) == sorted([read, other])
            assert {change["id"]: change["state"] for change in frame["changes"]} == {
                read: "unseen",
                other: "unseen",
            }


def milliseconds_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def test_an_ended_snooze(store: Store, realtime: Realtime) -> None:
    """The end by the user has no changes of state, and archiving ends a snooze with the frame of a mark."""
    async with realtime.user("ana") as phone:
        one = await send(store, "one", users=["ana"])
        await phone.expect("notification")
        await snooze(store, one, ahead=3_600_000)
        assert numbers(await stated(phone)) == (0, 0)
        await snooze(store, one, ahead=None)
        frame = await stated(phone)
        assert (frame["changes"], frame["snoozed"]) == ([], {"ids": [one], "until": None})
        assert numbers(frame) == (1, 1)
        await snooze(store, one, ahead=3_600_000)
        assert numbers(await stated(phone)) == (0, 0)
        await store.marks.mark("demo", "ana", MarkInbox(state="archived", ids=(one,)))
        frame = await stated(phone)
        assert ("snoozed" in frame, numbers(frame)) == (False, (0, 0))
        await store.marks.mark("demo", "ana", MarkInbox(state="unarchived", ids=(one,)))
        assert numbers(await stated(phone)) == (1, 1)


async def test_a_device_that_was_away(store: Store, realtime: Realtime, working: None) -> None:
    """A client that resumes with its state version gets the snooze and the return, in order."""
    async with realtime.user("ana") as phone:
        one = await send(store, "one", users=["ana"])
        await phone.expect("notification")
        resume = {
            "epoch": phone.frames[0]["epoch"],
            "positions": {"user": 1, "all": 0},
            "state_version": 0,
        }
    await snooze(store, one)
    async with realtime.user("ana", resume=resume) as phone:
        await phone.expect("caught_up")
        frame = await stated(phone)
        assert (frame["snoozed"]["ids"], numbers(frame)) == ([one], (0, 0))
        assert phone.frames[0]["counts"]["unseen"] == 0
        assert numbers(await stated(phone)) == (1, 1)
    async with realtime.user("ana", resume=resume) as phone:
        await phone.expect("caught_up")
        first, second = await stated(phone), await stated(phone)
        assert (first["snoozed"]["until"] is None, second["snoozed"]["until"] is None) == (False, True)
        assert (first["state_version"], second["state_version"]) == (1, 2)
        assert phone.frames[0]["counts"]["unseen"] == 1


async def test_a_client_that_attaches_counts_without_snoozed(
    store: Store, realtime: Realtime, second_gateway: Realtime
) -> None:
    """A gateway that reads the user's data has the snoozed positions: the welcome does not count them."""
    one = await send(store, "one", users=["ana"])
    await send(store, "two", users=["ana"])
    await snooze(store, one, ahead=3_600_000)
    async with realtime.user("ana") as phone:
        assert numbers(phone.frames[0]) == (1, 1)
        await store.marks.mark("demo", "ana", MarkInbox(state="read", all=True))
        assert numbers(await stated(phone)) == (0, 0)
        await snooze(store, one, ahead=None)
        assert numbers(await stated(phone)) == (1, 1)
