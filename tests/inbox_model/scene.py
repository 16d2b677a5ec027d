"""One example: a fresh tenant, its model, its devices, and what is done to all three.

Every step ends when everything agrees again, or fails with what does not. What was done is written down
in `script`, to be read by people.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.inbox_model import checks
from tests.inbox_model.application import Application, Json
from tests.inbox_model.device import Device, News, settle_all
from tests.inbox_model.model import Model
from tests.inbox_model.terms import Filter
from tests.support.realtime import Realtime

PATIENCE_SECONDS = 6.0
# What ends within this time has ended before a step is begun, so that no step meets a moment at which
# the right answer changes.
CLEAR_MS = 700
# Marks that are kept for who was away; who missed more is told to reload.
JOURNAL = 100


def now() -> int:
    """Milliseconds since the epoch."""
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
        # What the server keeps of devices that named themselves.
        self.remembered: dict[tuple[str, str], dict[str, int]] = {}
        self.script: list[str] = []
        self.abandoned = False

    # Steps

    async def step(
        self, does: str, action: Callable[[], Awaitable[None]], patience: float = PATIENCE_SECONDS
    ) -> None:
        """Do one thing, then wait until everything agrees."""
        if self.abandoned:
            return
        await self.let_expire(now() + CLEAR_MS)
        self._begin(does)
        await action()
        if any(sent.expires is not None and sent.expires <= now() for sent in self.model.expiring()):
            # This machine was so slow that nobody knows what came first.
            self.script.append("   (abandoned: too slow to know what was there)")
            self.abandoned = True
            return
        await self.agree(patience)

    def _begin(self, does: str) -> None:
        self.script.append(f"{len(self.script) + 1:3}. {does}")
        for device in self.devices:
            device.begin()

    async def let_expire(self, until: int) -> None:
        """Wait for what ends by itself until then, and for everybody to know."""
        due = [sent for sent in self.model.expiring() if (sent.expires or 0) <= until]
        if due:
            self._begin("wait until these have ended: " + ", ".join(self.name(sent.id) for sent in due))
            await self._wait_past(max(sent.expires or 0 for sent in due))
            await self.agree()

    async def _wait_past(self, at: int) -> None:
        await asyncio.sleep(max(0, at - now() + 5) / 1000)
        self._expire()

    def _expire(self) -> None:
        """What has ended by itself is gone; the devices that counted it are to be told."""
        at = now()
        due = [sent for sent in self.model.expiring() if (sent.expires or 0) <= at]
        for device in self.devices:
            items = self.model.listed(device.user)
            device.counts_due |= any(item.sent in due and item.marks.read is None for item in items)
        for sent in due:
            sent.expired = True

    async def agree(self, patience: float = PATIENCE_SECONDS) -> None:
        """Until all is as in the model; Disagreement where it does not get so."""
        deadline = time.monotonic() + patience
        while True:
            begun = now()
            self._expire()
            differences = await self.differences()
            on_edge = [s for s in self.model.expiring() if begun - 5 <= (s.expires or 0) <= now() + 5]
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
        """What does not agree at this moment."""
        await settle_all(self.devices)
        for device in self.devices:
            device.forget_expired(now())
            if device.must_reload:
                page, archived = await self.everything(device.user)
                device.load(page["items"] + archived["items"])
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
                found.append(f"{device} was told to reload, though the marks since could have been told")
        return found

    async def _nothing_new(self) -> None:
        """While nothing happens, who has a page is not sent it again."""
        if not self.model.expiring():
            poller = self.pollers[len(self.script) % len(self.pollers)]
            if await poller.ask(self.application):
                raise Disagreement(f"nothing happened, but {poller.user}'s list is told to be new")

    async def everything(self, user: str) -> tuple[Json, Json]:
        """A user's inbox, and the archived."""
        return await asyncio.gather(
            self.application.inbox(user), self.application.inbox(user, Filter(state="archived"))
        )

    def name(self, id: str) -> str:
        """A notification by its number."""
        ids = list(self.model.sent)
        return f"#{ids.index(id) + 1}" if id in self.model.sent else id

    def open_devices(self, user: str) -> list[Device]:
        """The user's devices that are connected."""
        return [device for device in self.devices if device.is_open and device.user == user]

    @staticmethod
    def due(device: Device, news: News) -> None:
        """In this step the device has to be told this."""
        if device.due is not None:
            device.due[news] += 1

    def ends(self, user: str) -> dict[str, int]:
        """Where the logs of a user end."""
        return {log: self.model.end(user, log) for log in self.model.logs(user)}

    async def end(self) -> None:
        """Close every connection."""
        for device in self.devices:
            await device.disconnect(abruptly=True)
