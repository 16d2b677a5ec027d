"""All times in frames have one form."""

import re
from collections.abc import Iterator
from typing import Any

from tests.gateway.conftest import TokenMaker
from tests.support.realtime import Realtime
from tests.support.sending import eventually, notification, titles
from tidings.protocol.frames import Expired, Mark
from tidings_workers.gateway import wire
from tidings_workers.gateway.websocket import WebSocket
from tidings_workers.store import Store

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NAMES = {"at", "expires_at", "created_at", "oldest", "newest"}


def times(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every time in a frame, with the name of its field."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from times(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from times(each, name)
    elif name in NAMES or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value)):
        yield name, value


async def test_every_time_of_a_session(store: Store, realtime: Realtime, token: TokenMaker) -> None:
    """Every time in a session's frames is RFC 3339 in UTC with three digits of milliseconds."""
    async with realtime.user("ana") as ana:
        lasting, _ = (
            await store.sends.send(
                "demo",
                [
                    notification("lasting", users=["ana"], expires_in=3600),
                    notification("brief", users=["ana"], expires_in=1),
                ],
            )
        ).ids
        await ana.titles(2)
        await ana.send("mark", ids=[lasting], state="read", ref=1)
        await ana.until("state")
        await ana.send("mark", all=True, state="seen", ref=2)
        await ana.until("state")
        await store.marks.mark("demo", "ana", Mark(state="unread", up_to={"user": 1}))
        await ana.until("state")
        await ana.send("refresh", token=token("ana"))
        await ana.until("refreshed")
        version = ana.frames[-2]["state_version"]
        frames = ana.frames
    await eventually(lambda: titles(store, "ana"), ["lasting"])
    resume = {"epoch": store.epoch, "positions": {"user": 0}, "state_version": version - 2}
    async with realtime.user("ana", resume=resume) as ana:
        await ana.until("caught_up")
        frames = [*frames, *ana.frames, *(await ana.settle())]

    found = [(frame["type"], *each) for frame in frames for each in times(frame)]
    assert {(kind, name) for kind, name, _ in found} == {
        ("welcome", "expires_at"),
        ("notification", "created_at"),
        ("notification", "expires_at"),
        ("state", "at"),
        ("refreshed", "expires_at"),
        ("caught_up", "oldest"),
        ("caught_up", "newest"),
    }
    assert [each for each in found if not TIME.fullmatch(str(each[-1]))] == []


def test_milliseconds() -> None:
    """Each time keeps its exact milliseconds, and a whole second has three zeros."""
    for at in (0, 1_000, 1_764_370_359_001, 1_764_370_359_999, 4_102_444_799_999):
        frame = WebSocket.wire.frame(Expired(1, {}, wire.moment(at), wire.moment(at)))  # type: ignore[arg-type]
        assert b'.%03dZ"' % (at % 1000) in frame
