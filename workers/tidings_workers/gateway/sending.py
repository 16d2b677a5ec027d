"""Carries out the `send` frames of connections: those that arrive together share one call of the store.

A connection has at most one call in progress, so its sends keep their order. Those that arrive during that
call wait for the next one. A connection without unanswered sends has no state here.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from tidings.protocol import closing
from tidings.protocol.frames import Accepted, ErrorFrame, Ref
from tidings_workers import sending
from tidings_workers.gateway.actions import PostNotification
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.interest import Spawn
from tidings_workers.refused import Refused
from tidings_workers.store import Idempotency, Store
from tidings_workers.store.content import PostedNotification

# With more unanswered sends, or bytes in them, nothing more is read from the connection.
UNANSWERED: Final = 500
UNANSWERED_BYTES: Final = 1024 * 1024

_BASE: Final = "#/notification"


class _Post(NamedTuple):
    """A `send` frame after its checks, or the reason why it is refused."""

    ref: Ref
    outcome: tuple[PostedNotification, Idempotency | None] | Refused
    size: int


class _Sender:
    """The unanswered sends of one connection."""

    __slots__ = ("bytes", "connection", "count", "in_progress", "waiting")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.waiting: list[_Post] = []
        self.in_progress = False
        # Of all unanswered sends: those that wait and those in progress.
        self.count = 0
        self.bytes = 0

    def add(self, post: _Post) -> None:
        self.waiting.append(post)
        self._change(1, post.size)
        if self.count >= UNANSWERED or self.bytes >= UNANSWERED_BYTES:
            self.connection.pause_reading()

    def answered(self, posts: Iterable[_Post]) -> None:
        for post in posts:
            self._change(-1, -post.size)

    def _change(self, count: int, size: int) -> None:
        self.count += count
        self.bytes += size


class Sending:
    """The sends of one gateway's connections."""

    def __init__(self, store: Store, spawn: Spawn) -> None:
        self._store = store
        self._spawn = spawn
        self._senders: dict[Connection, _Sender] = {}
        # The senders whose next call begins at the end of this tick.
        self._due: list[_Sender] = []
        self._all_answered: asyncio.Event | None = None

    def add(self, connection: Connection, frame: PostNotification) -> None:
        """Carry out a send after the earlier ones of the connection, and answer it.

        After `drain` has begun, a send is neither carried out nor answered.
        """
        if self._all_answered is not None:
            return
        sender = self._senders.get(connection)
        if sender is None:
            sender = self._senders[connection] = _Sender(connection)
        if not sender.in_progress and not sender.waiting:
            self._schedule(sender)
        sender.add(_checked(frame))

    async def drain(self) -> None:
        """Accept no more sends. On return those that were received are answered."""
        self._all_answered = asyncio.Event()
        if self._senders:
            await self._all_answered.wait()

    def _schedule(self, sender: _Sender) -> None:
        if not self._due:
            # All sockets that are readable in this tick are read before.
            asyncio.get_running_loop().call_soon(self._start)
        self._due.append(sender)

    def _start(self) -> None:
        due, self._due = self._due, []
        tenants: dict[str, list[tuple[_Sender, list[_Post]]]] = {}
        for sender in due:
            posts, sender.waiting = sender.waiting, []
            sender.in_progress = True
            identity = sender.connection.identity
            assert identity is not None  # noqa: S101 - only an open session sends
            tenants.setdefault(identity.tenant, []).append((sender, posts))
        for tenant, parts in tenants.items():
            self._spawn(self._carry_out(tenant, parts))

    async def _carry_out(self, tenant: str, parts: list[tuple[_Sender, list[_Post]]]) -> None:
        requests = [
            post.outcome for _, posts in parts for post in posts if not isinstance(post.outcome, Refused)
        ]
        try:
            answers = iter(await sending.send_each(self._store, tenant, requests) if requests else ())
            for sender, posts in parts:
                sender.connection.send(
                    *(
                        _frame(post.ref, post.outcome if isinstance(post.outcome, Refused) else next(answers))
                        for post in posts
                    )
                )
        except BaseException:
            # The client repeats the sends that were not answered.
            for sender, _ in parts:
                sender.connection.close(closing.OVERLOADED)
            raise
        finally:
            for sender, posts in parts:
                sender.answered(posts)
                if sender.connection.has_room:
                    self._go_on(sender)
                else:
                    self._spawn(self._wait_for_room(sender))

    async def _wait_for_room(self, sender: _Sender) -> None:
        """A client that does not read its answers sends nothing more, and is closed after a long wait."""
        await sender.connection.writable()
        self._go_on(sender)

    def _go_on(self, sender: _Sender) -> None:
        """Carry out the sends that arrived during a call, or forget the connection when there are none."""
        sender.in_progress = False
        sender.connection.resume_reading()
        if sender.waiting:
            self._schedule(sender)
            return
        del self._senders[sender.connection]
        if self._all_answered is not None and not self._senders:
            self._all_answered.set()


def _checked(frame: PostNotification) -> _Post:
    size = memoryview(frame.notification).nbytes
    try:
        notification = sending.decode(frame.notification, _BASE)
    except Refused as refused:
        return _Post(frame.ref, refused, size)
    key = frame.idempotency_key
    named = sending.idempotency(key, notification) if key is not None else None
    return _Post(frame.ref, (notification, named), size)


def _frame(ref: Ref, answer: sending.Answer | Refused) -> Accepted | ErrorFrame:
    if isinstance(answer, Refused):
        return ErrorFrame(answer.code, answer.detail, ref, answer.errors)
    sent = answer.sent
    return Accepted(ref, sent.id, sent.durability, sent.accepted_at, answer.replayed)
