"""The messages of connections to the application: in order per connection, one call of the upstream each.

A connection without messages in progress has no state here, and nothing else of a connection waits for them.
"""

import asyncio
import hashlib
import secrets
from collections import Counter, deque
from typing import Final, NamedTuple

from msgspec import UNSET, Raw, json, structs

from tidings.protocol import closing, limits
from tidings.protocol.frames import ErrorFrame, Reply
from tidings.protocol.messages import MessageData, MessageReceived, UpstreamRequest
from tidings.protocol.names import EVENT_RULE, is_event
from tidings.protocol.times import timestamp
from tidings_workers import metrics, sending
from tidings_workers.gateway.actions import PostedMessage
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.interest import Spawn
from tidings_workers.gateway.upstreams import Accepted, Upstreams
from tidings_workers.refused import Refusable, Refused, refusal_of
from tidings_workers.registry import INBOX_SCOPE, MESSAGE_SCOPE, RegistryView
from tidings_workers.store import (
    Idempotency,
    IdempotencyInProgress,
    IdempotencyMismatch,
    StorageUnavailable,
    Store,
)
from tidings_workers.store.ids import milliseconds
from tidings_workers.strict_json import check_value
from tidings_workers.tokens import Identity

# The messages that may wait behind one in progress: of a connection, and in bytes of a tenant and a gateway.
WAITING: Final = 100
WAITING_BYTES: Final = 256 * 1024
WAITING_BYTES_OF_TENANT: Final = 16 * 1024 * 1024
WAITING_BYTES_OF_ALL: Final = 64 * 1024 * 1024
# A message costs more memory than its data.
_OVERHEAD: Final = 1_024

_encode: Final = json.Encoder().encode

# The answers to a repeated message may differ, so the id alone names the request.
_DIGEST: Final = b"message"

_MAY_NOT: Final = "The token lacks the scopes 'inbox' and 'message'. Send a token with one of them."
_NO_UPSTREAM: Final = (
    "The tenant has no upstream that answers messages, and no reader of `message.received`. "
    "Set an upstream by PUT /v1/upstream."
)
_WAIT: Final = "Too many messages are waiting. Send more after their answers."


class _Waiting(NamedTuple):
    """A message, with the identity that sent it."""

    frame: PostedMessage
    identity: Identity
    size: int
    at: int


class _Queue:
    """The messages of one connection that wait, without the one in progress."""

    __slots__ = ("bytes", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.bytes = 0


class Messages:
    """The messages of one gateway's connections."""

    def __init__(self, store: Store, registry: RegistryView, upstreams: Upstreams, spawn: Spawn) -> None:
        self._store = store
        self._registry = registry
        self._upstreams = upstreams
        self._spawn = spawn
        self._queues: dict[Connection, _Queue] = {}
        self._bytes_of: Counter[str] = Counter()
        self._bytes = 0
        # The tenants of whose last message somebody wanted the event.
        self._recorded: set[str] = set()
        self._all_answered: asyncio.Event | None = None

    def add(self, connection: Connection, frame: PostedMessage) -> None:
        """Carry out a message after the earlier ones of the connection, and answer it if it has a `ref`.

        After `drain` has begun, a message is neither carried out nor answered.
        """
        identity = connection.identity
        assert identity is not None  # noqa: S101 - the session was opened by an identity
        if self._all_answered is not None:
            return
        try:
            self._check(identity, frame)
            self._queue(connection, frame, identity)
        except Refused as refused:
            # A frame that is wrong is answered without a `ref`, too.
            metrics.MESSAGES[refused.code].inc()
            connection.send(ErrorFrame(refused.code, refused.detail, frame.ref))

    async def drain(self) -> None:
        """Accept no more messages. On return those that were received are answered."""
        self._all_answered = asyncio.Event()
        if self._queues:
            await self._all_answered.wait()

    @staticmethod
    def _check(identity: Identity, frame: PostedMessage) -> None:
        if identity.scopes.isdisjoint((INBOX_SCOPE, MESSAGE_SCOPE)):
            raise Refused("insufficient_scope", _MAY_NOT)
        if not is_event(frame.event):
            raise Refused("invalid_request", f"#/event: an event is {EVENT_RULE}.")
        data = bytes(frame.data)
        if len(data) > limits.MESSAGE_BYTES:
            raise Refused("too_large", f"The data is larger than {limits.MESSAGE_BYTES:,} bytes.")
        check_value(data)

    def _queue(self, connection: Connection, frame: PostedMessage, identity: Identity) -> None:
        size = memoryview(frame.data).nbytes + _OVERHEAD
        queue = self._queues.get(connection)
        if (
            (queue is not None and (len(queue.waiting) >= WAITING or queue.bytes + size > WAITING_BYTES))
            or self._bytes_of[identity.tenant] + size > WAITING_BYTES_OF_TENANT
            or self._bytes + size > WAITING_BYTES_OF_ALL
        ):
            raise Refused("overloaded", _WAIT)
        # The frame's `data` is a view of all bytes of its message.
        copied = PostedMessage(frame.event, Raw(bytes(frame.data)), frame.ref, frame.idempotency_key)
        waiting = _Waiting(copied, identity, size, milliseconds())
        self._bytes += size
        self._bytes_of[identity.tenant] += size
        if queue is None:
            queue = self._queues[connection] = _Queue()
            self._spawn(self._work(connection, queue))
        queue.waiting.append(waiting)
        queue.bytes += size

    async def _work(self, connection: Connection, queue: _Queue) -> None:
        try:
            # Every received message is carried out, also after the connection has closed.
            while queue.waiting:
                one = queue.waiting.popleft()
                queue.bytes -= one.size
                try:
                    await self._carry_out(connection, one)
                finally:
                    self._discount(one)
        except BaseException:
            # The client repeats the messages that were not answered.
            connection.close(closing.OVERLOADED)
            raise
        finally:
            del self._queues[connection]
            for one in queue.waiting:
                self._discount(one)
            if self._all_answered is not None and not self._queues:
                self._all_answered.set()

    def _discount(self, one: _Waiting) -> None:
        tenant = one.identity.tenant
        self._bytes -= one.size
        self._bytes_of[tenant] -= one.size
        if not self._bytes_of[tenant]:
            del self._bytes_of[tenant]

    async def _carry_out(self, connection: Connection, one: _Waiting) -> None:
        tenant = one.identity.tenant
        record = self._registry.tenant(tenant)
        upstream = record.upstream if record is not None else None
        message, request = _id_of(one), _request(connection, one)
        try:
            received = await self._write_event(one, message, request, has_upstream=upstream is not None)
            if upstream is not None:
                answer = await self._upstreams.call(tenant, upstream, message, request)
            else:
                answer = _without_upstream(received=received)
            if answer.notifications:
                await self._send(tenant, message, answer)
        except Refused as refused:
            _answer(connection, one.frame, refused)
        else:
            _answer(connection, one.frame, answer)

    async def _write_event(
        self, one: _Waiting, message: str, request: UpstreamRequest, *, has_upstream: bool
    ) -> bool:
        """Write the event of a message once, if somebody wants it. Returns whether that is so.

        Raises Refused when the store is away. For a tenant with an upstream, whose last message was not
        wanted, the answer is False then: its messages need no store.
        """
        tenant = one.identity.tenant
        event = MessageReceived(message=message, **structs.asdict(request.data))
        once = message if one.frame.idempotency_key is not None else ""
        try:
            wanted = await self._store.events.append(
                tenant, event.user, "message.received", _encode(event), once
            )
        except StorageUnavailable as error:
            if has_upstream and tenant not in self._recorded:
                return False
            raise refusal_of(error) from None
        if wanted:
            self._recorded.add(tenant)
        else:
            self._recorded.discard(tenant)
        return wanted

    async def _send(self, tenant: str, message: str, answer: Accepted) -> None:
        """Accept the notifications of an answer: those of one message once. Raises Refused."""
        # No header of HTTP can have this key.
        named = Idempotency(f"\x1f{message}", _DIGEST)
        try:
            await sending.send_all(self._store, tenant, answer.notifications, named)
        except (StorageUnavailable, IdempotencyMismatch, IdempotencyInProgress) as error:
            refusable: Refusable = error
            raise refusal_of(refusable) from None


def _without_upstream(*, received: bool) -> Accepted:
    """The answer to a message that the application reads as an event. Raises Refused when it does not."""
    if not received:
        raise Refused("no_upstream", _NO_UPSTREAM)
    return Accepted()


def _id_of(one: _Waiting) -> str:
    """The id of a message for the application. That of a repeated message with a key is the same."""
    key = one.frame.idempotency_key
    if key is None:
        return f"msg_{secrets.token_hex(16)}"
    named = f"{one.identity.tenant}\n{one.identity.subject}\n{key}"
    return f"msg_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def _request(connection: Connection, one: _Waiting) -> UpstreamRequest:
    subscriber = connection.subscriber
    return UpstreamRequest(
        timestamp=timestamp(one.at),
        data=MessageData(
            user=one.identity.subject,
            connection=subscriber.id if subscriber is not None else connection.id,
            device=subscriber.device if subscriber is not None else None,
            event=one.frame.event,
            data=one.frame.data,
            guest=one.identity.is_guest,
        ),
    )


def _answer(connection: Connection, frame: PostedMessage, outcome: Accepted | Refused) -> None:
    metrics.MESSAGES["answered" if isinstance(outcome, Accepted) else outcome.code].inc()
    if frame.ref is None:
        return
    if isinstance(outcome, Refused):
        connection.send(ErrorFrame(outcome.code, outcome.detail, frame.ref))
    else:
        connection.send(Reply(frame.ref, Raw(outcome.reply) if outcome.reply else UNSET))
