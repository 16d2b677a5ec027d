"""The deliveries that a lane has begun and whose outcome is not stored. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from tidings_workers.store.webhooks import Delivery


class Part(Struct, eq=False):
    """Deliveries that were read together. `left` is how many of them have no stored outcome."""

    size: int = 0
    left: int = 0


class Task(Struct, eq=False):
    """A delivery, and the parts that wait for its outcome."""

    id: str
    delivery: Delivery
    body: bytes
    parts: list[Part]


class Batch(Part, eq=False):
    """New events, and the positions behind them."""

    positions: Mapping[int, int] = {}


class Outstanding:
    """Deliveries by user. Those of one user are made one after another."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._chains: dict[str, deque[Task]] = {}
        self._batches: deque[Batch] = deque()

    def __len__(self) -> int:
        """How many deliveries have no stored outcome."""
        return len(self._tasks)

    def __contains__(self, event: object) -> bool:
        """Whether an event has no stored outcome."""
        return event in self._tasks

    @property
    def new(self) -> int:
        """How many new events were read behind the stored positions."""
        return sum(batch.size for batch in self._batches)

    def add(self, part: Part, event: str, delivery: Delivery, body: bytes) -> str | None:
        """Add a delivery. Returns a user when a chain begins: take its deliveries with `first` and `pop`.

        An event that is outstanding is not delivered twice: both parts wait for it.
        """
        part.size += 1
        part.left += 1
        task = self._tasks.get(event)
        if task is not None:
            task.parts.append(part)
            return None
        task = self._tasks[event] = Task(event, delivery, body, [part])
        user = delivery.user or f"/{event}"
        chain = self._chains.get(user)
        if chain is not None:
            chain.append(task)
            return None
        self._chains[user] = deque([task])
        return user

    def first(self, user: str) -> Task | None:
        """The next delivery of a user; None ends the chain."""
        chain = self._chains[user]
        if chain:
            return chain[0]
        del self._chains[user]
        return None

    def pop(self, user: str) -> None:
        """The first delivery of a user has an outcome."""
        self._chains[user].popleft()

    def read(self, batch: Batch) -> None:
        """New events were read. Their batches end in the order of this call."""
        self._batches.append(batch)

    def stored(self, events: Iterable[str]) -> Mapping[int, int] | None:
        """The outcomes of events are being stored. Returns the positions that may be stored with them."""
        for event in events:
            for part in self._tasks.pop(event).parts:
                part.left -= 1
        positions = None
        while self._batches and not self._batches[0].left:
            positions = self._batches.popleft().positions
        return positions
