"""The topics to which a live inbox is subscribed, and the frames that say so. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from tidings._errors import InvalidArgumentError
from tidings.protocol import limits
from tidings.protocol.frames import Subscribe, Unsubscribe
from tidings.protocol.names import TOPIC_RULE, is_topic, log_of_topic, topic_of_log

_encode: Final = msgspec.json.Encoder().encode


class Subscriptions:
    """The subscriptions of one live inbox, over one connection after another.

    A subscription that the server has not confirmed is sent again on the next connection, as it was asked
    for. A confirmed one is resumed from its last position.
    """

    def __init__(self) -> None:
        # By topic: what to ask for; None for one that was confirmed.
        self._wanted: dict[str, Subscribe | None] = {}
        self._resumed: frozenset[str] = frozenset()
        self._number = 0

    def wants(self, log: str) -> bool:
        """Whether a `connect` may name a log: that of a topic only while the inbox is subscribed to it."""
        topic = topic_of_log(log)
        return topic is None or topic in self._wanted

    def add(self, topic: str, after: int | None, rewind: int | None) -> str:
        """The frame that subscribes to a topic. Raises InvalidArgumentError."""
        if not is_topic(topic):
            raise InvalidArgumentError(f"{topic!r} is not the name of a topic: it is {TOPIC_RULE}")
        if topic in self._wanted:
            raise InvalidArgumentError(f"The inbox is subscribed to {topic!r} already. Close that first")
        if after is not None and rewind is not None:
            raise InvalidArgumentError("after and rewind exclude each other. Give one of them")
        if after is not None and after < 0:
            raise InvalidArgumentError(f"after is a position, 0 or more, not {after}")
        if rewind is not None and not 0 <= rewind <= limits.REWIND:
            raise InvalidArgumentError(f"rewind must be 0 to {limits.REWIND}, not {rewind}")
        self._number += 1
        wanted = self._wanted[topic] = Subscribe(topic, after, rewind, ref=f"subscribe:{self._number}")
        return _encode(wanted).decode()

    def remove(self, topic: str) -> str:
        """The frame that ends a subscription."""
        self._wanted.pop(topic, None)
        return _encode(Unsubscribe(topic)).decode()

    def subscribed(self, topic: str) -> bool:
        """The server confirmed a subscription. Returns whether it is new, and not resumed."""
        is_new = self._wanted.get(topic) is not None
        if is_new:
            self._wanted[topic] = None
        return is_new

    def ended(self, topic: str) -> None:
        """The server ended a subscription."""
        if self._wanted.get(topic, topic) is None:
            del self._wanted[topic]

    def refused(self, ref: str | int | None) -> str | None:
        """The topic whose subscription an error with this ref refuses; None for another ref."""
        for topic, wanted in self._wanted.items():
            if wanted is not None and wanted.ref == ref:
                del self._wanted[topic]
                return topic
        return None

    def resumed(self, logs: Iterable[str]) -> None:
        """The next `connect` names these logs: the server subscribes again to those of topics."""
        self._resumed = frozenset(logs)

    def frames(self, received: Mapping[str, int]) -> list[str]:
        """The frames to send after the welcome of a connection."""
        due: list[Subscribe] = []
        for topic, wanted in self._wanted.items():
            if wanted is not None:
                due.append(wanted)
            elif log_of_topic(topic) not in self._resumed:
                due.append(Subscribe(topic, after=received.get(log_of_topic(topic))))
        self._resumed = frozenset()
        return [_encode(frame).decode() for frame in due]
