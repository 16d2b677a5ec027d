"""One example: a new tenant, its model, its devices, and the steps on them.

Each step ends when everything agrees with the model, or fails with the differences. `script` lists the steps
in readable form.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.inbox_model import checks
from tests.inbox_model.application import Application, Json
from tests.inbox_model.device import Device, Event, settle_all
from tests.inbox_model.model import Model
from tests.inbox_model.terms import Filter
from tests.support.realtime import Realtime

PATIENCE_SECONDS = 6.0
# Wait before a step for everything that expires within this time, so that the right answer does not change
# during the step.
CLEAR_MS = 700
# The marks that the journal keeps; a client that missed more must reload.
JOURNAL = 100


def now() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Disagreement(AssertionError):
    """Model and system do not agree."""


class Scene:
    """A tenant under test. `gateways` are the ports of the gateways.

    `thorough` asks for the lists of all users by all filters at every step, else of one user after another.
    """

    def __init__(
        self, application: Application, gateways: Sequence[int], users: Sequence[str], *, thorough: bool
    ) -> None:
        self.application = application
        self.thorough = thorough
        self.gateways = [Realtime(port, lambda user, **_: application.token(user)) for port in gateways]
        self.model = Model(users)
        self.moments = checks.Moments()
        self.versions = {user: checks.Versions() for user in users}
        self.pollers = [checks.Poller(user) for user in users]
        self.devices: list[Device] = []
        # The positions that the server keeps for named devices.
        self.remembered: dict[tuple[str, str], dict[str, int]] = {}
        self.script: list[str] = []
        self.abandoned = False

    # Steps

    async def step(
        self, does: str, action: Callable[[], Awaitable[None]], patience: float = PATIENCE_SECONDS
    ) -> None:
        """Do one step, then wait until everything agrees."""
        if self.abandoned:
            return
        await self.let_expire(now() + CLEAR_MS)
        await self.let_return(now() + CLEAR_MS)
        self._start_step(does)
        await action()
        if any(sent.expires is not None and sent.expires <= now() for sent in self.model.expiring()) or any(
            at <= now() for user in self.model.users for at in self.model.snoozes(user)
        ):
            # The machine was too slow: the order of expiry, or return, and step is unknown.
            self.script.append("   (abandoned: too slow: something expired or returned during the step)")
            self.abandoned = True
            return
        await self.agree(patience)

    def _start_step(self, does: str) -> None:
        self.script.append(f"{len(self.script) + 1:3}. {does}")
        for device in self.devices:
            device.start_step()

    async def let_expire(self, until: int) -> None:
        """Wait until everything that expires up to then has expired, and everything agrees."""
        due = [sent for sent in self.model.expiring() if (sent.expires or 0) <= until]
        if due:
            self._start_step(
                "wait until these have expired: " + ", ".join(self.name(sent.id) for sent in due)
            )
            await self._wait_past(max(sent.expires or 0 for sent in due))
            await self.agree()

    async def let_return(self, until: int) -> None:
        """Wait until everything snoozed up to then has returned, and everything agrees."""
        due = [at for user in self.model.users for at in self.model.snoozes(user) if at <= until]
        if due:
            self._start_step("wait until snoozed items have returned")
            await self._wait_past(max(due))
            await self.agree()

    def _wake(self) -> None:
        """Return the due items in the model. Several returns of a user may be one change, or several."""
        woken = self.model.wake(now())
        for device in self.devices:
            if device.user in woken:
                device.due = None

    async def _wait_past(self, at: int) -> None:
        await asyncio.sleep(max(0, at - now() + 5) / 1000)
        self._expire()

    def _expire(self) -> None:
        """Expire notifications in the model; devices that counted one are due new counts."""
        at = now()
        due = [sent for sent in self.model.expiring() if (sent.expires or 0) <= at]
        for device in self.devices:
            items = self.model.listed(device.user)
            device.counts_due |= any(item.sent in due and item.marks.read is None for item in items)
        for sent in due:
            sent.expired = True

    async def agree(self, patience: float = PATIENCE_SECONDS) -> None:
        """Wait until everything agrees with the model; Disagreement when it does not in time."""
        deadline = time.monotonic() + patience
        while True:
            started = now()
            self._expire()
            self._wake()
            differences = await self.differences()
            on_edge = [s for s in self.model.expiring() if started - 5 <= (s.expires or 0) <= now() + 5]
            if on_edge:
                await self._wait_past(max(sent.expires or 0 for sent in on_edge))
                continue
            if not differences:
                await self._nothing_new()
                return
            if time.monotonic() > deadline:
                raise Disagreement("\n".join(differences))
            await asyncio.sleep(0.01)

    async def differences(self) -> list[str]:
        """The differences now."""
        await settle_all(self.devices)
        for device in self.devices:
            device.remove_expired(now())
            if device.must_reload:
                _, items = await self.everything(device.user)
                device.load(items)
        model, application = self.model, self.application
        users = list(model.users)
        closely = users if self.thorough else [users[len(self.script) % len(users)]]
        found = checks.on_devices(self.devices, model, self.moments, self.versions)
        for each in await asyncio.gather(
            checks.inboxes(application, model, self.moments, self.versions, closely),
            checks.receipts(application, model),
            checks.presences(application, model, self.devices),
            checks.groups(application, model),
            *(poller.check(application, model, self.moments) for poller in self.pollers),
        ):
            found += each
        for device in self.devices:
            if device.reloads and len(self.script) < JOURNAL:
                found.append(f"{device} was sent reload, although the journal has the marks since")
        return found

    async def _nothing_new(self) -> None:
        """Check that a poller gets no new page while nothing happens."""
        if not self.model.expiring() and not any(map(self.model.snoozes, self.model.users)):
            poller = self.pollers[len(self.script) % len(self.pollers)]
            if await poller.ask(self.application):
                raise Disagreement(f"nothing happened, but {poller.user}'s list has a new ETag")

    async def everything(self, user: str) -> tuple[Json, list[Json]]:
        """A user's inbox, and all its items: the archived and the snoozed ones too.

        An item may move from one list to another between the requests, so they are repeated until the state
        is the same in all.
        """
        while True:
            pages = await asyncio.gather(
                *(self.application.inbox(user, Filter(state)) for state in (None, "archived", "snoozed"))
            )
            if len({page["state_version"] for page in pages}) == 1:
                return pages[0], [item for page in pages for item in page["items"]]

    def name(self, id: str) -> str:
        """The number of a notification, as in the script."""
        ids = list(self.model.sent)
        return f"#{ids.index(id) + 1}" if id in self.model.sent else id

    def open_devices(self, user: str) -> list[Device]:
        """The user's connected devices."""
        return [device for device in self.devices if device.is_open and device.user == user]

    @staticmethod
    def due(device: Device, event: Event) -> None:
        """Record a frame that the device must get in this step."""
        if device.due is not None:
            device.due[event] += 1

    def ends(self, user: str) -> dict[str, int]:
        """The ends of a user's logs."""
        return {log: self.model.end(user, log) for log in self.model.logs(user)}

    async def end(self) -> None:
        """Close every connection."""
        for device in self.devices:
            await device.disconnect(abruptly=True)
