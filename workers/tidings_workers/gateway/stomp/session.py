"""The session of one STOMP client: its frames and the server's frames in, effects out. No socket, no clock.

    NEW --CONNECT--> CONNECTING --Welcome--> CONNECTED --DISCONNECT or ERROR--> CLOSED

It decides nothing about tokens, positions or limits: it asks the session of `tidings.v1`. Frames that arrive
before the welcome are refused, because a STOMP client waits for CONNECTED.
"""

from enum import Enum, auto
from typing import Final

import msgspec
from msgspec import UNSET

from tidings.protocol import closing
from tidings.protocol.closing import CloseCode
from tidings.protocol.frames import (
    Ack,
    ErrorFrame,
    Publish,
    Published,
    Ref,
    Reply,
    ServerFrame,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Welcome,
)
from tidings_workers.gateway.stomp.connect import Heartbeats, read_connect
from tidings_workers.gateway.stomp.destinations import Event, Replies, TopicName, UserQueue, writable
from tidings_workers.gateway.stomp.effects import Ask, Effect, Finish, Forget, Refuse, Rewire, Write
from tidings_workers.gateway.stomp.frames import Frame, StompError, Version, encode
from tidings_workers.gateway.stomp.headers import check_names, need
from tidings_workers.gateway.stomp.publications import message, publication
from tidings_workers.gateway.stomp.receipts import Receipts
from tidings_workers.gateway.stomp.refusals import ERRORS, close_code, error_frame
from tidings_workers.gateway.stomp.subscribing import read_subscribe, read_unsubscribe
from tidings_workers.gateway.stomp.transactions import Transactions
from tidings_workers.gateway.stomp.unacknowledged import Unacknowledged
from tidings_workers.gateway.stomp.wire import Subscription, position_of, reply_frame

SERVER: Final = "tidings"

_encode: Final = msgspec.json.encode


class _State(Enum):
    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


class StompSession:
    """The server's side of STOMP for one connection. `has_token`: the handshake carried a token."""

    __slots__ = (
        "_login",
        "_receipts",
        "_state",
        "_topics",
        "_transactions",
        "guest_host",
        "has_token",
        "heartbeats",
        "subscriptions",
        "unacknowledged",
        "version",
        "was_welcomed",
    )

    def __init__(self) -> None:
        self._state = _State.NEW
        self._login = ""
        self.heartbeats = Heartbeats(0, 0)
        self._transactions = Transactions()
        self._receipts = Receipts()
        # The positions at which subscriptions to topics start.
        self._topics: dict[str, int] = {}
        self.version: Version = "1.0"
        self.has_token = False
        # The header `host` of a client without a token.
        self.guest_host: str | None = None
        self.was_welcomed = False
        self.subscriptions: dict[str, Subscription] = {}
        # None while no subscription needs ACK.
        self.unacknowledged: Unacknowledged | None = None

    @property
    def is_closed(self) -> bool:
        """Whether it was refused or has disconnected."""
        return self._state is _State.CLOSED

    # Frames of the client

    def receive(self, frame: Frame) -> list[Effect]:
        """The effects of a frame."""
        if self._state is _State.CLOSED:
            return []
        try:
            check_names(frame)
            return self._receive(frame)
        except StompError as error:
            return self.refuse(error.code, error.detail, frame.headers.get("receipt"))

    def _receive(self, frame: Frame) -> list[Effect]:
        if frame.command in {"CONNECT", "STOMP"}:
            return self._connect(frame.headers)
        if self._state is not _State.CONNECTED:
            raise StompError("invalid_request", "The first frame is CONNECT. Send others after CONNECTED.")
        transaction = frame.headers.get("transaction")
        match frame.command:
            case "SEND" | "ACK" | "NACK" if transaction is not None:
                self._transactions.add(transaction, frame)
                return []
            case "SEND" | "ACK" | "NACK" | "SUBSCRIBE" | "UNSUBSCRIBE":
                return self._perform(frame)
            case "BEGIN" | "COMMIT" | "ABORT":
                return self._transact(frame, transaction)
            case "DISCONNECT":
                self._state = _State.CLOSED
                return [*self._receipt(frame), Finish()]
            case _:
                raise StompError("malformed_request", f"There is no frame {frame.command} of a client.")

    def _perform(self, frame: Frame) -> list[Effect]:
        match frame.command:
            case "SUBSCRIBE":
                return self._subscribe(frame)
            case "UNSUBSCRIBE":
                return self._unsubscribe(frame)
            case "SEND":
                return self._send(frame)
            case "ACK":
                return [*self._acknowledge(frame), *self._receipt(frame)]
            case _:
                self._acknowledged(frame)
                return self._receipt(frame)

    def _connect(self, headers: dict[str, str]) -> list[Effect]:
        if self._state is not _State.NEW:
            raise StompError("invalid_request", "CONNECT is allowed only once.")
        read = read_connect(headers, has_token=self.has_token)
        self.version, self.heartbeats, self._login = read.version, read.heartbeats, read.login
        self._topics, self.guest_host = read.topics, read.guest_host
        self._state = _State.CONNECTING
        asked = Ask(_encode(read.connect))
        return [asked] if read.connect.token is None else [Forget(), asked]

    def _subscribe(self, frame: Frame) -> list[Effect]:
        subscription, after, rewind = read_subscribe(frame, self.subscriptions)
        source = subscription.source
        self.subscriptions[subscription.id] = subscription
        if subscription.ack != "auto" and self.unacknowledged is None:
            self.unacknowledged = Unacknowledged()
        if not isinstance(source, TopicName):
            return [Rewire(), *self._receipt(frame)]
        if after is None and rewind is None:
            after = self._topics.pop(source.topic, None)
        return [Rewire(), Ask(_encode(Subscribe(source.topic, after, rewind, self._receipts.expect(frame))))]

    def _unsubscribe(self, frame: Frame) -> list[Effect]:
        ended = read_unsubscribe(frame, self.subscriptions)
        if ended is None:
            return self._receipt(frame)
        del self.subscriptions[ended.id]
        others = any(each.source == ended.source for each in self.subscriptions.values())
        if not isinstance(ended.source, TopicName) or others:
            return [Rewire(), *self._receipt(frame)]
        return [Rewire(), Ask(_encode(Unsubscribe(ended.source.topic, self._receipts.expect(frame))))]

    def _send(self, frame: Frame) -> list[Effect]:
        match writable(need(frame, "destination")):
            case UserQueue():
                raise StompError(
                    "insufficient_scope", "A client cannot send to /user/... The application sends to users."
                )
            case Event(name):
                return [Ask(_encode(message(name, frame, self._receipts.expect(frame))))]
            case TopicName(topic):
                return [Ask(_encode(Publish(topic, publication(frame), self._receipts.expect(frame))))]

    # Acknowledgements and transactions

    def _acknowledged(self, frame: Frame) -> tuple[str, int]:
        """The log and the position that ACK or NACK names."""
        names = ("id", "message-id") if self.version == "1.2" else ("message-id", "id")
        identifier = frame.headers.get(names[0]) or frame.headers.get(names[1])
        found = position_of(identifier) if identifier is not None else None
        if found is None:
            raise StompError("invalid_request", f"{frame.command} needs the {names[0]} of a MESSAGE.")
        return found

    def _acknowledge(self, frame: Frame) -> list[Effect]:
        log, position = self._acknowledged(frame)
        if self.unacknowledged is None:
            return []
        moved = self.unacknowledged.acknowledge(log, position)
        return [Ask(_encode(Ack(moved)))] if moved else []

    def _transact(self, frame: Frame, transaction: str | None) -> list[Effect]:
        if transaction is None:
            raise StompError("invalid_request", f"{frame.command} needs the header transaction.")
        if frame.command == "BEGIN":
            self._transactions.begin(transaction)
            return self._receipt(frame)
        waiting = self._transactions.end(transaction)
        effects: list[Effect] = []
        before = self._receipts.last
        if frame.command == "COMMIT":
            for each in waiting:
                effects += self.receive(each)
        if self.is_closed:
            return effects
        if self._receipts.last > before and "receipt" in frame.headers:
            self._receipts.add(frame.headers["receipt"], before)
            return effects
        return [*effects, *self._receipt(frame)]

    # Frames of the server

    def answer(self, message: ServerFrame) -> list[Effect]:
        """The effects of a frame of `tidings.v1`. Most have no counterpart in STOMP."""
        if self._state is _State.CLOSED:
            return []
        match message:
            case Welcome():
                return self._welcome(message)
            case ErrorFrame():
                return self.refuse(message.code, message.detail, self._receipts.failed(message.ref))
            case Unsubscribed(topic, reason) if reason is not None:
                return self.refuse("forbidden_topic", f"The token no longer allows {topic}.")
            case Reply():
                return [*self._reply(message), *self._answered(message.ref)]
            case Subscribed() | Unsubscribed() | Published():
                return self._answered(message.ref)
            case _:
                return []

    def _answered(self, ref: Ref | None) -> list[Effect]:
        return [self._write_receipt(receipt) for receipt in self._receipts.answered(ref)]

    def _reply(self, reply: Reply) -> list[Effect]:
        """A MESSAGE for each subscription to replies, if the application has replied something."""
        if reply.data is UNSET:
            return []
        wanted = [each for each in self.subscriptions.values() if isinstance(each.source, Replies)]
        body = _encode(reply.data)
        return [Write(reply_frame(each, reply.ref, body, self.version)) for each in wanted]

    def _welcome(self, welcome: Welcome) -> list[Effect]:
        if self._login and self._login != welcome.user:
            return self.refuse(
                "invalid_token", "The header login is another user than the token's. Leave it out."
            )
        self._state, self.was_welcomed = _State.CONNECTED, True
        headers = [
            ("version", self.version),
            ("heart-beat", self.heartbeats.header),
            ("session", welcome.connection),
            ("server", SERVER),
            ("user-name", welcome.user),
        ]
        return [Write(encode("CONNECTED", headers, b"", self.version))]

    def refuse(self, code: str, detail: str, receipt: str | None = None) -> list[Effect]:
        """The effects of a refusal, once: ERROR, and the close code that belongs to the error's code."""
        if self._state is _State.CLOSED:
            return []
        self._state = _State.CLOSED
        return [Refuse(error_frame(code, detail, receipt, self.version), close_code(code))]

    def closing(self, code: CloseCode, reason: str) -> bytes:
        """The ERROR frame before a close of the gateway's own; empty when that close has none."""
        error = ERRORS.get(code.code)
        if code == closing.INVALID_TOKEN and self.guest_host is not None:
            error = "missing_token"
        if error is None or self._state is _State.CLOSED:
            return b""
        self._state = _State.CLOSED
        return error_frame(error, _sentence(reason or code.reason), None, self.version)

    def _receipt(self, frame: Frame) -> list[Effect]:
        receipt = frame.headers.get("receipt")
        if receipt is None:
            return []
        return [self._write_receipt(receipt)]

    def _write_receipt(self, receipt: str) -> Write:
        return Write(encode("RECEIPT", [("receipt-id", receipt)], b"", self.version))


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith(".") else text + "."
