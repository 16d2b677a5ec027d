"""The topic streams of one live inbox: passes them the outputs of its session."""

from collections.abc import Callable
from typing import Final, Protocol

from tidings._listen.delivery import Delivery
from tidings._listen.errors import FrameRefusedError
from tidings._listen.link import Link
from tidings._listen.outputs import Output, Refused
from tidings._listen.session import Session
from tidings._listen.topic_stream import TopicEvent, TopicStream
from tidings.protocol.frames import CaughtUp, Delivered, Gap, Recalled, Subscribed, Unsubscribed
from tidings.protocol.names import log_of_topic

_NO_LONGER: Final = "The token no longer allows the topic"


class MakeDelivery(Protocol):
    """Makes the delivery of a frame."""

    def __call__(self, frame: Delivered) -> Delivery: ...


class TopicStreams:
    """The streams by the log of their topic. `link` returns the open connection, or None."""

    def __init__(self, session: Session, *, link: Callable[[], Link | None], deliver: MakeDelivery) -> None:
        self._session = session
        self._link = link
        self._deliver = deliver
        self._streams: dict[str, TopicStream] = {}

    async def start(self, stream: TopicStream) -> None:
        """Subscribe. Raises InvalidArgumentError."""
        frame = self._session.subscribe(stream.topic, stream.after, stream.rewind)
        self._streams[log_of_topic(stream.topic)] = stream
        if (link := self._link()) is not None:
            await link.send(frame)

    async def stop(self, stream: TopicStream) -> None:
        """End a subscription."""
        if self._streams.get(log_of_topic(stream.topic)) is not stream:
            return
        del self._streams[log_of_topic(stream.topic)]
        frame = self._session.subscriptions.remove(stream.topic)
        if (link := self._link()) is not None:
            # The server counts acknowledgements of subscriptions only.
            await link.ack_now()
            await link.send(frame)

    def handled(self, event: TopicEvent, epoch: str | None) -> None:
        """Count an event as handled, and acknowledge it soon."""
        frame = event.frame if isinstance(event, Delivery) else event
        if self._session.handled(frame, epoch) and (link := self._link()) is not None:
            link.ack_soon()

    def acknowledge(self, delivery: Delivery) -> bool:
        """Acknowledge a delivery now. Returns whether it is one of a topic."""
        stream = self._streams.get(delivery.log)
        if stream is not None:
            stream.acknowledge(delivery)
        return delivery.log.startswith("topic:")

    def put(self, output: Output) -> bool:
        """Pass an output to its stream. Returns whether it concerns a topic."""
        match output:
            case Subscribed():
                if (stream := self._streams.get(output.log)) is not None:
                    stream.confirm()
            case Unsubscribed():
                # Without a reason it answers `stop`.
                if output.reason is not None:
                    self._end(output.topic, FrameRefusedError("forbidden_topic", _NO_LONGER))
            case Refused():
                self._end(output.topic, output.error)
            case Delivered() | Gap() | Recalled() | CaughtUp():
                return self._pass(output)
            case _:
                return False
        return True

    def _pass(self, frame: Delivered | Gap | Recalled | CaughtUp) -> bool:
        logs = set(frame.positions) if isinstance(frame, CaughtUp) else {frame.log}
        if len(logs) != 1 or not (log := logs.pop()).startswith("topic:"):
            return False
        if (stream := self._streams.get(log)) is not None:
            event = self._deliver(frame) if isinstance(frame, Delivered) else frame
            stream.put(event, self._session.epoch)
        return True

    def _end(self, topic: str, error: FrameRefusedError) -> None:
        stream = self._streams.pop(log_of_topic(topic), None)
        if stream is not None:
            stream.end(error)

    async def room(self) -> None:
        """Wait until no stream is full."""
        for stream in list(self._streams.values()):
            await stream.room()

    def end(self, error: Exception | None) -> None:
        """End all streams: the inbox has ended."""
        for stream in self._streams.values():
            stream.end(error)
        self._streams.clear()
