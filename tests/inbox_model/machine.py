"""The rules: the steps that hypothesis may choose, in any order.

Numbers pick from the existing things (modulo their number), so that a rule always has something to do and a
shorter script still makes sense.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, ClassVar, Protocol

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.inbox_model import checks
from tests.inbox_model.choices import (
    DEVICES,
    OPEN_DEVICES,
    REFUSED,
    Wish,
    categories,
    compounds,
    expiries,
    gateways,
    groups,
    pick,
    several_wishes,
    shown,
    targets,
    users,
    wishes,
)
from tests.inbox_model.clients import Clients
from tests.inbox_model.device import Device
from tests.inbox_model.marking import Marker
from tests.inbox_model.memberships import Memberships
from tests.inbox_model.scene import PATIENCE_SECONDS, Disagreement, Scene
from tests.inbox_model.sending import Sending
from tests.inbox_model.terms import Item, Marking, Sent, To


class Stage(Protocol):
    """The environment in which examples run."""

    def run(self, step: Coroutine[Any, Any, None]) -> None:
        """Carry out a step."""

    def scene(self) -> Scene:
        """The scene of a new tenant."""

    def replace_gateway(self, gateway: int) -> None:
        """Kill a gateway, and start another in its place."""


class InboxMachine(RuleBasedStateMachine):
    """One example, run on `stage`."""

    stage: ClassVar[Stage]

    def __init__(self) -> None:
        super().__init__()
        self.scene = self.stage.scene()
        self.sending = Sending(self.scene)
        self.memberships = Memberships(self.scene)
        self.marker = Marker(self.scene)
        self.clients = Clients(self.scene)
        self.failed = False
        self.refused = 0

    def teardown(self) -> None:
        """Check every receipt, and close every connection."""
        try:
            if not self.failed:
                self._do("ask for every receipt", self._every_receipt)
        finally:
            self.stage.run(self.scene.end())

    async def _every_receipt(self) -> None:
        differences = await checks.every_receipt(self.scene.application, self.scene.model)
        if differences:
            raise Disagreement("\n".join(differences))

    def _do(
        self, does: str, action: Callable[[], Awaitable[None]], patience: float = PATIENCE_SECONDS
    ) -> None:
        try:
            self.stage.run(self._timed(self.scene.step(does, action, patience)))
        except BaseException:
            self.failed = True
            note("The steps:\n" + "\n".join(self.scene.script))
            raise

    @staticmethod
    async def _timed(step: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(60):
            await step

    @initialize(
        blue=st.frozensets(users, min_size=1),
        red=st.frozensets(users),
        sends=st.lists(st.tuples(targets, categories, st.none()), min_size=3, max_size=7),
        clients=st.lists(st.tuples(users, gateways, st.booleans()), min_size=2, max_size=4),
        marked=st.lists(st.tuples(users, wishes), min_size=1, max_size=3),
    )
    def begin(
        self,
        blue: frozenset[str],
        red: frozenset[str],
        sends: Sequence[tuple[To, str | None, int | None]],
        clients: Sequence[tuple[str, int, bool]],
        marked: Sequence[tuple[str, Wish]],
    ) -> None:
        """Start with members, sends, clients and marks: hypothesis omits rules at will."""
        for group, members in (("blue", blue), ("red", red)):
            self.change_members(group, members, frozenset())
        self.send(sends)
        for user, gateway, named in clients:
            self.connect(user, gateway, named)
        for user, wish in marked:
            self.mark_by_rest(user, [wish], "application")

    # Sending

    @rule(
        sends=st.one_of(
            st.tuples(st.tuples(targets, categories, expiries)),
            st.lists(st.tuples(targets, categories, st.none()), min_size=2, max_size=4),
        )
    )
    def send(self, sends: Sequence[tuple[To, str | None, int | None]]) -> None:
        """Send one notification, or a batch."""
        first = len(self.scene.model.sent) + 1
        does = "; ".join(
            f"#{number} to {shown(to)}"
            + (f" in {category}" if category else "")
            + (f", for {expires_in} s" if expires_in else "")
            for number, (to, category, expires_in) in enumerate(sends, first)
        )
        self._do(f"send {does}", lambda: self.sending.send(sends))

    @rule(to=compounds, category=categories, group=groups, user=users, twice=pick)
    def send_before_change(self, to: To, category: str | None, group: str, user: str, twice: int) -> None:
        """Send, and right after the acceptance change a membership, or rarely delete a group."""
        number = len(self.scene.model.sent) + 1
        if twice == 0:
            does, change = f"delete {group}", lambda: self.memberships.delete_group(group)
        elif user in self.scene.model.members.get(group, ()):
            does, change = f"{user} leaves {group}", lambda: self.memberships.leave(group, user)
        else:
            does, change = f"{user} joins {group}", lambda: self.memberships.join(group, user)
        self._do(
            f"send #{number} to {shown(to)}, and at once: {does}",
            lambda: self.sending.send([(to, category, None)], change),
        )

    @precondition(lambda self: self.scene.model.sent)
    @rule(which=pick)
    def recall(self, which: int) -> None:
        """Recall one of the last sends, mostly; it may be removed already."""
        sent = self._sent(which)
        self._do(f"recall {self.scene.name(sent.id)}", lambda: self.sending.recall(sent))

    def _sent(self, which: int) -> Sent:
        sent = list(self.scene.model.sent.values())
        return sent[-1 - which % len(sent)]

    @rule()
    def wait(self) -> None:
        """Wait until everything that expires has expired."""
        # No precondition: it would depend on the clock, and a script must not.
        if self.scene.model.expiring():
            self._do("wait for what expires", self._wait)

    async def _wait(self) -> None:
        expiring = self.scene.model.expiring()
        await self.scene.let_expire(max((sent.expires or 0 for sent in expiring), default=0))

    # Groups

    @rule(group=groups, user=users, how=st.sampled_from(["other", "other", "other", "in", "out"]))
    def member(self, group: str, user: str, how: str) -> None:
        """Join or leave: mostly the opposite of the present membership."""
        is_in = user in self.scene.model.members.get(group, ())
        if how == "in" or (how == "other" and not is_in):
            self._do(f"{user} joins {group}", lambda: self.memberships.join(group, user))
        else:
            self._do(f"{user} leaves {group}", lambda: self.memberships.leave(group, user))

    @rule(group=groups, add=st.frozensets(users), remove=st.frozensets(users))
    def change_members(self, group: str, add: frozenset[str], remove: frozenset[str]) -> None:
        """Change members in bulk."""
        joining, leaving = sorted(add - remove), sorted(remove)
        self._do(
            f"in {group}: add {', '.join(joining) or 'none'}, remove {', '.join(leaving) or 'none'}",
            lambda: self.memberships.change_members(group, joining, leaving),
        )

    @precondition(lambda self: self.scene.model.members)
    @rule(group=groups, twice=pick)
    def delete_group(self, group: str, twice: int) -> None:
        """Delete a group, rarely: a number decides."""
        if twice == 0:
            self._do(f"delete {group}", lambda: self.memberships.delete_group(group))

    # State

    @rule(user=users, several=several_wishes, by=st.sampled_from(["application", "user"]))
    def mark_by_rest(self, user: str, several: Sequence[Wish], by: str) -> None:
        """Mark by REST, as the application or as the user, one after the other."""
        for wish in several:
            self._mark(user, wish, by)

    @precondition(lambda self: self._open())
    @rule(which=pick, several=several_wishes)
    def mark_by_frame(self, which: int, several: Sequence[Wish]) -> None:
        """Mark by frames of a device, one after the other."""
        device = self._open()[which % len(self._open())]
        for wish in several:
            self._mark(device.user, wish, device)

    def _mark(self, user: str, wish: Wish, by: Device | str) -> None:
        marking = self._meant(user, wish)
        self._do(f"{by} marks {user}'s {self._named(marking)}", lambda: self.marker.mark(user, marking, by))

    def _meant(self, user: str, wish: Wish) -> Marking:
        items = self._items(user, wish.picked)
        if wish.how == "all" or not items:
            return Marking(wish.state, all=True, category=wish.category)
        if wish.how == "up to":
            up_to = {item.place.log: item.place.position + 1000 * wish.strange for item in items}
            return Marking(wish.state, up_to=up_to | ({"group:unknown": 3} if wish.strange else {}))
        ids = [item.sent.id for item in items]
        if wish.strange:
            ids += [self._sent(wish.picked[0]).id] if self.scene.model.sent else []
            ids += ["01a20450-7f8e-7a91-bb7e-642d00f5e00a", "nonsense"]
        return Marking(wish.state, ids=tuple(dict.fromkeys(ids)))

    def _named(self, marking: Marking) -> str:
        if marking.ids is not None:
            return f"{', '.join(map(self.scene.name, marking.ids))} as {marking.state}"
        if marking.up_to is not None:
            return f"items up to {dict(marking.up_to)} as {marking.state}"
        return f"items{' of ' + marking.category if marking.category else ''} all as {marking.state}"

    def _items(self, user: str, which: Sequence[int]) -> list[Item]:
        """The user's items with these numbers, newest first."""
        items = sorted(self.scene.model.items(user), key=lambda item: item.sent.accepted, reverse=True)
        return [items[number % len(items)] for number in which] if items else []

    @precondition(lambda self: self._rivals())
    @rule(which=pick, first=wishes, second=wishes)
    def mark_at_once(self, which: int, first: Wish, second: Wish) -> None:
        """Two devices of one user mark concurrently, and may overlap."""
        rivals = self._rivals()
        one, other = rivals[which % len(rivals)]
        marks = [(one, self._meant(one.user, first)), (other, self._meant(one.user, second))]
        self._do(
            "at once " + " and ".join(f"{device} marks {self._named(marking)}" for device, marking in marks),
            lambda: self.marker.mark_at_once(marks),
        )

    def _rivals(self) -> list[tuple[Device, Device]]:
        devices = self._open()
        return [
            (one, other)
            for n, one in enumerate(devices)
            for other in devices[n + 1 :]
            if one.user == other.user
        ]

    @precondition(lambda self: self._open() and self.refused < REFUSED)
    @rule(
        which=pick,
        body=st.sampled_from(
            [
                {"state": "read"},
                {"state": "read", "ids": [], "all": True},
                {"state": "read", "up_to": {"user": 1}, "category": "chat"},
                {"state": "gone", "all": True},
                {"state": "read", "up_to": {"nonsense": 1}},
                {"state": "read", "up_to": {"user": -1}},
            ]
        ),
    )
    def refuse_mark(self, which: int, body: dict[str, Any]) -> None:
        """An invalid mark changes nothing."""
        self.refused += 1
        device = self._open()[which % len(self._open())]
        self._do(f"{device} sends a mark with {body}", lambda: self.marker.refuse_mark(device, body))

    # Devices

    def _open(self) -> list[Device]:
        return [device for device in self.scene.devices if device.is_open]

    def _away(self) -> list[Device]:
        return [device for device in self.scene.devices if not device.is_open]

    @precondition(lambda self: len(self.scene.devices) < DEVICES)
    @rule(user=users, gateway=gateways, named=st.booleans(), later=st.booleans())
    def connect(self, user: str, gateway: int, named: bool, later: bool = False) -> None:
        """A new client lists, and then connects, or resumes from the list later."""
        number = len(self.scene.devices) + 1
        name = f"device-{number}" if named else None
        device = Device(user, name, name or f"client-{number}")
        if later or len(self._open()) >= OPEN_DEVICES:
            self._do(f"{device} lists the inbox", lambda: self.clients.list_only(device))
        else:
            self._do(
                f"{device} connects to gateway {gateway}", lambda: self.clients.connect_fresh(device, gateway)
            )

    @precondition(lambda self: self._away() and len(self._open()) < OPEN_DEVICES)
    @rule(
        which=pick,
        gateway=gateways,
        how=st.sampled_from(
            ["resume", "resume", "resume", "resume, states unknown", "resume from nothing", "by name"]
        ),
    )
    def reconnect(self, which: int, gateway: int, how: str) -> None:
        """A client reconnects: with its positions, with none, or by its name alone."""
        away = self._away()
        device = away[which % len(away)]
        if how == "by name" and (device.user, device.name) not in self.scene.remembered:
            how = "resume"
        self._do(
            f"{device} reconnects to gateway {gateway}: {how}",
            lambda: (
                self.clients.connect_by_name(device, gateway)
                if how == "by name"
                else self.clients.resume(
                    device, gateway, with_states=how == "resume", from_nothing=how == "resume from nothing"
                )
            ),
        )

    @precondition(lambda self: self._open())
    @rule(which=pick, abruptly=st.booleans())
    def disconnect(self, which: int, abruptly: bool) -> None:
        """Disconnect, with or without a close frame."""
        device = self._open()[which % len(self._open())]
        self._do(
            f"{device} {'breaks off' if abruptly else 'disconnects'}",
            lambda: device.disconnect(abruptly=abruptly),
        )

    @precondition(lambda self: self._open())
    @rule(which=pick, how=st.sampled_from(["all", "all", "first half", "more than there is"]))
    def acknowledge(self, which: int, how: str) -> None:
        """Acknowledge the received positions, a part of them, or more."""
        device = self._open()[which % len(self._open())]
        positions = {
            log: known[-1] if how == "all" else known[len(known) // 2] if how == "first half" else 10**6
            for log, known in device.received.items()
        }
        if positions:
            self._do(
                f"{device} acknowledges {positions}", lambda: self.clients.acknowledge(device, positions)
            )

    # Lists

    @rule(user=users, limit=st.integers(1, 3), to=targets)
    def walk(self, user: str, limit: int, to: To) -> None:
        """Page through an inbox while a notification is sent."""
        first = len(self.scene.model.sent) + 1
        self._do(
            f"page through {user}'s inbox by {limit}, and between pages send #{first} to {shown(to)}",
            lambda: self.sending.walk(user, limit, lambda: self.sending.send([(to, None, None)])),
        )
