"""The step from a catch-up to live."""

import asyncio

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import CaughtUp, ServerFrame
from tidings_workers.gateway.catchup import Backlog
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.tails import Tail
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.gateway.websocket import WebSocket
from tidings_workers.store import Store
from tidings_workers.store.entries import Entry, Facts
from tidings_workers.store.ids import milliseconds, new_id
from tidings_workers.store.keys import Keys, Log
from tidings_workers.tasks import Background


class FullOutlet:
    """An outlet without room: the first frame closes it, like a slow consumer."""

    wire = WebSocket.wire

    def __init__(self, catchups: CatchUps) -> None:
        self.closed = False
        self.subscriber: Subscriber | None = None
        self._catchups = catchups

    @property
    def is_open(self) -> bool:
        """See Outlet."""
        return not self.closed

    def queue(self, data: bytes) -> None:
        """See Outlet."""
        self.write(data)

    def write(self, data: bytes) -> None:
        """See Outlet."""
        del data
        self.close(closing.SLOW_CONSUMER)

    def send(self, message: ServerFrame) -> None:
        """See Outlet."""
        del message
        self.close(closing.SLOW_CONSUMER)

    async def writable(self) -> None:
        """See Outlet."""

    def close(self, code: CloseCode, reason: str = "") -> None:
        """See Outlet. The gateway stops the subscriber of a closing connection."""
        del code, reason
        if not self.closed and self.subscriber is not None:
            self.closed = True
            self._catchups.stop(self.subscriber)


def tail(log: Log) -> Tail[Subscriber]:
    found: Tail[Subscriber] = Tail(log, asyncio.get_running_loop().create_future())
    found.start(Facts(0, 0, []))
    return found


async def test_closed_by_its_last_frame(store: Store) -> None:
    """A subscriber that the last frame of its catch-up closes is live on no tail."""
    keys, background = Keys(4), Background("test")
    catchups = CatchUps(store, background.spawn)
    own, everyone = tail(keys.user("demo", "ana")), tail(keys.all("demo"))
    outlet = FullOutlet(catchups)
    subscriber = Subscriber(User("demo", "ana", keys, own, everyone), "c1", None, outlet)
    outlet.subscriber = subscriber
    catchups.start(subscriber, Backlog({"user": 0, "all": 0}, set(), replay=True))
    await background.close()
    assert outlet.closed
    assert (dict(own.live), dict(everyone.live), catchups.running) == ({}, {}, {})


class SlowOutlet(FullOutlet):
    """An outlet that is writable only after some seconds, and keeps the frames."""

    def __init__(self, catchups: CatchUps, seconds: float) -> None:
        super().__init__(catchups)
        self.sent: asyncio.Queue[ServerFrame] = asyncio.Queue()
        self._seconds = seconds

    def write(self, data: bytes) -> None:
        """See Outlet."""

    def send(self, message: ServerFrame) -> None:
        """See Outlet."""
        self.sent.put_nowait(message)

    async def writable(self) -> None:
        """See Outlet."""
        await asyncio.sleep(self._seconds)


async def test_expired_during_a_catch_up(store: Store) -> None:
    """An entry from memory that expires before it is sent is reported as expired, with its category."""
    background = Background("test")
    catchups = CatchUps(store, background.spawn)
    own, everyone = tail(store.keys.user("demo", "ana")), tail(store.keys.all("demo"))
    content = b'{"id":"%b","category":"chat","title":"soon"}' % new_id(milliseconds(), 0).encode()
    everyone.append(Entry(1, content, milliseconds() + 200, frozenset()))
    outlet = SlowOutlet(catchups, seconds=0.3)
    subscriber = Subscriber(User("demo", "ana", store.keys, own, everyone), "c1", None, outlet)
    catchups.start(subscriber, Backlog({"user": 0, "all": 0}, set(), replay=True))
    async with asyncio.timeout(10):
        caught_up = await outlet.sent.get()
    await background.close()
    assert isinstance(caught_up, CaughtUp)
    assert caught_up.expired is not None
    assert caught_up.expired.categories == {"chat": 1}
