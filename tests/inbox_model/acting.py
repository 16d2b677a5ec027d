"""Uses of actions, from any device and by REST, and checks of their answers."""

import asyncio
import time
from collections.abc import Sequence
from copy import deepcopy
from itertools import count, permutations
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.inbox_model.application import Json
from tests.inbox_model.choices import pick, users
from tests.inbox_model.device import Device, Event, settle_all
from tests.inbox_model.machine import InboxMachine
from tests.inbox_model.scene import PATIENCE_SECONDS, Disagreement, Scene
from tests.inbox_model.terms import Use

_STATUS: Final = {None: 200, "not_found": 404, "unknown_action": 404, "action_used": 409}

ways = st.sampled_from(["application", "user", "device"])
actions = st.sampled_from(["yes", "yes", "no", "no", "maybe"])


class Actor:
    """Uses actions, by REST and by frames."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        # Marks have the moments above zero.
        self._moment = count(-1, -1)
        self._ref = count(1)

    async def act(self, user: str, id: str, action: str, by: Device | str) -> None:
        """Use an action by a frame of a device, or by REST as "application" or "user"."""
        if isinstance(by, Device):
            answer = await self._frame(by, id, action)
            self._check(self._acted(user, id, action, by), answer.get("acted"), answer)
            return
        of = "me" if by == "user" else f"users/{user}"
        use = self._acted(user, id, action, None)
        answer = await self._scene.application.ask(
            "POST",
            f"/v1/{of}/notifications/{id}/actions/{action}",
            own=user if by == "user" else None,
            expect=_STATUS[use.error],
        )
        self._check(use, answer, answer)

    async def _frame(self, device: Device, id: str, action: str) -> Json:
        ref = f"act-{next(self._ref)}"
        await device.send("act", id=id, action=action, ref=ref)
        return await device.answer(ref)

    def _acted(self, user: str, id: str, action: str, by: Device | None) -> Use:
        use = self._scene.model.act(user, id, action, next(self._moment))
        for device in self._scene.open_devices(user):
            if use.is_first or (device is by and use.error is None):
                self._scene.due(device, Event("state", mine=device is by))
        return use

    @staticmethod
    def _check(use: Use, acted: Json | None, answer: Json) -> None:
        if not _describes(use, acted, answer):
            raise Disagreement(f"{answer} instead of {use}")

    async def act_at_once(self, id: str, uses: Sequence[tuple[Device, str]]) -> None:
        """Devices of one user use actions of one notification concurrently: one of them is the first."""
        answers = await asyncio.gather(*(self._frame(device, id, action) for device, action in uses))
        # The order that explains the answers, by the use that is the first; None if none is.
        orders: dict[int | None, Sequence[int]] = {}
        for order in permutations(range(len(uses))):
            expected = self._expected(order, id, uses)
            if all(_describes(expected[n], answers[n].get("acted"), answers[n]) for n in order):
                orders.setdefault(next((n for n in order if expected[n].is_first), None), order)
        first = next(iter(orders), None)
        if len(orders) > 1:
            first = await self._first(list(orders), [device for device, _ in uses])
        for n in orders.get(first, range(len(uses))):
            device, action = uses[n]
            self._check(self._acted(device.user, id, action, device), answers[n].get("acted"), answers[n])

    def _expected(self, order: Sequence[int], id: str, uses: Sequence[tuple[Device, str]]) -> dict[int, Use]:
        model = deepcopy(self._scene.model)
        return {n: model.act(uses[n][0].user, id, uses[n][1], 0) for n in order}

    async def _first(self, candidates: Sequence[int | None], devices: list[Device]) -> int | None:
        """Which of several uses was the first, where the answers are the same in either order.

        A repetition gets the answer of the first use. But its device gets the change as well, as all devices
        do except that of the first use. `agree` then compares what each device got with that.
        """
        changed = Event("state")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(device.events[changed] for device in devices) and time.monotonic() < deadline:
            await settle_all(devices)
        return next(
            (n for n in candidates if n is not None and not devices[n].events[changed]), candidates[0]
        )


def _describes(use: Use, acted: Json | None, answer: Json) -> bool:
    """Whether an answer describes a use: by the action that counts, or by the code of the error."""
    if use.error is not None:
        return answer.get("code") == use.error
    return acted is not None and acted["action"]["id"] == use.action


class ActingMachine(InboxMachine):
    """The machine with uses of actions."""

    def __init__(self) -> None:
        super().__init__()
        self.actor = Actor(self.scene)

    @rule(
        user=users,
        which=pick,
        uses=st.lists(
            st.tuples(actions, st.sampled_from(["application", "user", "device"])), min_size=1, max_size=3
        ),
        strange=st.sampled_from([False, False, False, True]),
    )
    def act(self, user: str, which: int, uses: Sequence[tuple[str, str]], strange: bool) -> None:
        """Use actions of a notification one after the other: mostly of an item of the inbox."""
        items = self._items(user, [which])
        if items and not strange:
            id = items[0].sent.id
        elif self.scene.model.sent:
            id = self._sent(which).id
        else:
            return
        devices = [device for device in self._open() if device.user == user]
        for action, how in uses:
            by: Device | str = how
            if how == "device":
                by = devices[which % len(devices)] if devices else "user"
            self._act(user, id, action, by)

    def _act(self, user: str, id: str, action: str, by: Device | str) -> None:
        self._do(
            f"{by} uses {action} of {user}'s {self.scene.name(id)}",
            lambda: self.actor.act(user, id, action, by),
        )

    @precondition(lambda self: self._rivals())
    @rule(which=pick, item=pick, first=actions, second=actions)
    def act_at_once(self, which: int, item: int, first: str, second: str) -> None:
        """Two devices of one user use actions of one notification concurrently."""
        rivals = self._rivals()
        one, other = rivals[which % len(rivals)]
        items = self._items(one.user, [item])
        if not items:
            return
        id = items[0].sent.id
        uses = [(one, first), (other, second)]
        self._do(
            f"at once on {self.scene.name(id)} " + " and ".join(f"{by} uses {action}" for by, action in uses),
            lambda: self.actor.act_at_once(id, uses),
        )
