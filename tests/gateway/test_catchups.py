"""The step from a catch-up to live."""

import asyncio

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import ServerFrame
from tidings_workers.gateway.catchup import Backlog
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.topics import Topic
from tidings_workers.gateway.users import Subscriber, User
from tidings_workers.gateway.wire import WEBSOCKET
from tidings_workers.store import Store
from tidings_workers.store.entries import Facts
from tidings_workers.store.keys import Keys, Log
from tidings_workers.tasks import Background


class FullOutlet:
    """An outlet without room: the first frame closes it, like a slow consumer."""

    wire = WEBSOCKET

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


def topic(log: Log) -> Topic[Subscriber]:
    found: Topic[Subscriber] = Topic(log, asyncio.get_running_loop().create_future())
    found.start(Facts(0, 0, []))
    return found


async def test_closed_by_its_last_frame(store: Store) -> None:
    """A subscriber that the last frame of its catch-up closes is live on no topic."""
    keys, background = Keys(4), Background("test")
    catchups = CatchUps(store, background.spawn)
    own, everyone = topic(keys.user("demo", "ana")), topic(keys.all("demo"))
    outlet = FullOutlet(catchups)
    subscriber = Subscriber(User("demo", "ana", keys, own, everyone), "c1", None, outlet)
    outlet.subscriber = subscriber
    catchups.start(subscriber, Backlog({"user": 0, "all": 0}, set(), replay=True))
    await background.close()
    assert outlet.closed
    assert (dict(own.live), dict(everyone.live), catchups.running) == ({}, {}, {})
