"""Memberships that the dispatcher carries out late, one change after another."""

import pytest

from tests.support.realtime import Client, Realtime, delivered
from tests.support.sending import notification
from tidings.protocol.names import log_of_group
from tidings_workers.dispatcher.expansion import Expansion
from tidings_workers.store import Store

TEAM = log_of_group("team")


class Scene:
    """A group, its member ana, and the positions of its log that belong to her."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.expected: list[int] = []
        self._position = 0
        self._members: set[str] = set()
        self._expansion = Expansion(store, self._partition)

    @property
    def _partition(self) -> int:
        return self.store.keys.group("demo", "team").partition

    async def turn(self, turn: str) -> None:
        """Ana joins (`+`) or leaves (`-`), the group is deleted (`*`) or receives a notification (`s`)."""
        if turn == "s":
            # Nothing is appended for a group without members.
            self._position += bool(self._members)
            self.expected += [self._position] if "ana" in self._members else []
            await self.store.sends.send("demo", [notification("for the team", groups=["team"])])
            return
        if turn == "*":
            self._members.clear()
            await self.store.groups.delete("demo", "team")
        else:
            await self.change({"ana"} if turn == "+" else set(), {"ana"} if turn == "-" else set())

    async def change(self, add: set[str], remove: set[str]) -> None:
        """Change the members."""
        self._members = (self._members | add) - remove
        await self.store.groups.change("demo", "team", sorted(add), sorted(remove))

    async def carry_out(self, ana: Client | None = None) -> None:
        """Carry out the waiting changes. The gateway of `ana` has read each one before the next."""
        reader = self.store.reader("late")
        batch = await self.store.ingress.read(reader, self._partition, "0", 64)
        await reader.close()
        async for step in self._expansion.steps(batch):
            await self.store.ingress.apply(self._partition, [step])
            if step.finish is not None:
                await step.finish()
            if ana is not None:
                # The change and this notification are in the feed of one partition, in this order.
                await self.store.sends.send("demo", [notification("barrier", users=["ana"])])
                while (await ana.next()).get("notification", {}).get("title") != "barrier":
                    pass
                await ana.settle()
        await self.store.ingress.trim(self._partition, batch[-1].id)

    async def check(self, ana: Client) -> None:
        """Ana received her positions once each and in order, and receives the next one as a member."""
        await self.turn("+")
        await self.carry_out()
        await ana.until("joined")
        await self.turn("s")
        while [position for log, position in delivered(ana.frames) if log == TEAM][-1:] != self.expected[-1:]:
            await ana.next()
        assert [position for log, position in delivered(ana.frames) if log == TEAM] == self.expected


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)


@pytest.mark.parametrize("followed", [True, False])
@pytest.mark.parametrize("turns", ["+-s", "+-+-s", "+s-s+-s", "+-s+s-s", "+s-+s-s+-s", "+*s", "+s*s+-s"])
async def test_each_change_late(scene: Scene, realtime: Realtime, turns: str, *, followed: bool) -> None:
    """No notification that was sent after a user left reaches the user, also when nothing was sent between.

    `followed`: the user was a member before, so the gateway follows the log.
    """
    await scene.change({"bob"}, set())
    await scene.carry_out()
    async with realtime.user("ana") as ana:
        if followed:
            for turn in "+s-":
                await scene.turn(turn)
                if turn != "s":
                    await scene.carry_out(ana)
        for turn in turns:
            await scene.turn(turn)
        await scene.carry_out(ana)
        await scene.check(ana)


@pytest.mark.parametrize("followed", [True, False])
@pytest.mark.parametrize("turns", ["-s", "s-s", "-s+-s", "s*s", "-+s-s"])
async def test_a_former_member_connects(
    scene: Scene, realtime: Realtime, turns: str, *, followed: bool
) -> None:
    """A user who connects before the dispatcher has carried out the departure receives nothing sent after it.

    `followed`: another member is connected, so the gateway follows the log before.
    """
    await scene.change({"ana", "bob"}, set())
    await scene.carry_out()
    async with realtime.user("bob" if followed else "carl") as other:
        for turn in turns:
            await scene.turn(turn)
        start = {"epoch": other.frames[0]["epoch"], "positions": {TEAM: 0}}
        async with realtime.user("ana", resume=start) as ana:
            await ana.until("caught_up")
            await scene.turn("s")
            await scene.carry_out(ana)
            await scene.check(ana)
