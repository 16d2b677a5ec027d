"""The notifications that a client has to acknowledge, in the order in which it was sent them."""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from tidings.protocol.frames import Positions
from tidings_workers.gateway.stomp.wire import Subscription

# A client that leaves more than this unacknowledged counts as a slow consumer.
MOST: Final = 5_000

_Sent = tuple[str, int]
_Subscriptions = tuple[str, ...]


class _Waiting(NamedTuple):
    """A notification that was sent: its number, the subscriptions by id, and whether ACK is for it alone."""

    number: int
    subscriptions: _Subscriptions
    is_individual: bool


class Unacknowledged:
    """Notifications by log and position. Adding and acknowledging one costs a constant time on average."""

    __slots__ = ("_acknowledged", "_last", "_logs", "_queued", "_queues", "_reached", "_sent")

    def __init__(self) -> None:
        self._sent: dict[_Sent, _Waiting] = {}
        self._last = 0
        # Those that are acknowledged, while an earlier one of their log is not.
        self._acknowledged: set[_Sent] = set()
        # In the order of sending, by subscriptions, and by log. They may have removed ones.
        self._queues: dict[_Subscriptions, deque[tuple[int, _Sent]]] = {}
        self._queued = 0
        self._logs: dict[str, deque[int]] = {}
        # Up to where the client has what it need not acknowledge.
        self._reached: Positions = {}

    @property
    def is_full(self) -> bool:
        """Whether the client left too many unacknowledged."""
        return len(self._sent) > MOST

    def add(self, log: str, position: int, subscriptions: Sequence[Subscription]) -> None:
        """A notification is sent to these subscriptions, which wait for ACK."""
        sent = log, position
        if sent in self._sent:
            return
        self._last += 1
        names = tuple(each.id for each in subscriptions)
        individual = any(each.ack == "client-individual" for each in subscriptions)
        self._sent[sent] = _Waiting(self._last, names, individual)
        self._queues.setdefault(names, deque()).append((self._last, sent))
        self._queued += 1
        self._logs.setdefault(log, deque()).append(position)
        if self._queued > 2 * len(self._sent) + 100:
            self._compact()

    def _compact(self) -> None:
        for name, queue in list(self._queues.items()):
            kept = deque(each for each in queue if each[1] in self._sent)
            if kept:
                self._queues[name] = kept
            else:
                del self._queues[name]
        self._queued = sum(map(len, self._queues.values()))

    def reach(self, positions: Positions) -> Positions:
        """The client has all of these logs up to these positions. The positions that moved.

        A log moves no further than to the first notification that the client has to acknowledge.
        """
        self._reached.update(positions)
        return {log: at for log in positions if (at := self._reachable(log))}

    def _reachable(self, log: str) -> int:
        reached, waiting = self._reached.get(log, 0), self._logs.get(log)
        return min(reached, waiting[0] - 1) if waiting else reached

    def acknowledge(self, log: str, position: int) -> Positions:
        """The positions that moved. An unknown notification, or one that was acknowledged, moves nothing.

        It acknowledges everything that was sent to the same subscriptions before, of every log; or, if one of
        them is `client-individual`, this one alone. A log moves when nothing before is missing.
        """
        sent = log, position
        waiting = self._sent.get(sent)
        if waiting is None or sent in self._acknowledged:
            return {}
        touched = {log}
        self._acknowledged.add(sent)
        if not waiting.is_individual:
            for each in self._before(waiting):
                self._acknowledged.add(each)
                touched.add(each[0])
        moved = {name: self._settle(name) for name in touched}
        return {name: max(at, self._reachable(name)) for name, at in moved.items() if at}

    def _before(self, waiting: _Waiting) -> list[_Sent]:
        """Those that were sent to one of the same subscriptions before; they leave their queues."""
        found: list[_Sent] = []
        for name, queue in list(self._queues.items()):
            if set(name).isdisjoint(waiting.subscriptions):
                continue
            while queue and queue[0][0] <= waiting.number:
                found.append(queue.popleft()[1])
                self._queued -= 1
            if not queue:
                del self._queues[name]
        return [each for each in found if each in self._sent]

    def _settle(self, log: str) -> int:
        """Remove the acknowledged ones of a log before its first gap; the last of them, or 0."""
        moved, positions = 0, self._logs[log]
        while positions and (log, positions[0]) in self._acknowledged:
            moved = positions.popleft()
            self._acknowledged.discard((log, moved))
            del self._sent[log, moved]
        if not positions:
            del self._logs[log]
        return moved
