"""The deliveries to one endpoint: those that are due, a part of a replay, and new events.

One loop reads and stores. A task for each user sends, so a slow answer delays the events of its user alone.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from tidings_workers import metrics
from tidings_workers.cancellation import raise_if_cancelled
from tidings_workers.store import Store
from tidings_workers.store.event_items import Event, EventBatch, body_of
from tidings_workers.store.webhooks import Attempt, Delivery, Due, Item, Replay, State, Status, outcome
from tidings_workers.webhook_endpoints import Reason, Webhook
from tidings_workers.webhooks import schedule
from tidings_workers.webhooks.budget import Budget
from tidings_workers.webhooks.outstanding import Batch, Outstanding, Part, Task
from tidings_workers.webhooks.requests import Outcome, send

if TYPE_CHECKING:
    from tidings_workers.egress.client import Endpoint

# New events that are read together; of an endpoint whose last try failed, fewer.
EVENTS: Final = 100
EVENTS_FAILING: Final = 16
# New events behind the stored positions. As many outcomes are kept, so after a crash they are not sent again.
AHEAD: Final = 400
# Events of a replay without a stored outcome: a new event waits for no more of them.
REPLAYED: Final = 50
DUE: Final = 50
# Above this the lane reads no new events.
PENDING: Final = 500
PROBE_SECONDS: Final = 60.0
# How soon a lane notices a retry or a replay that somebody asked for.
POLL_SECONDS: Final = 2.0


class _Replayed(NamedTuple):
    """A part of a replay, and the rest behind it."""

    part: Part
    rest: Replay | None
    token: str


class Lane:
    """Delivers to one endpoint until cancelled, once. `disable` ends it; `clock` gives Unix ms."""

    def __init__(
        self,
        store: Store,
        tenant: str,
        webhook: Webhook,
        endpoint: "Endpoint",
        budget: Budget,
        disable: Callable[[str, Webhook, Reason], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._tenant = tenant
        self.webhook = webhook
        self._endpoint = endpoint
        self._budget = budget
        self._disable = disable
        self._clock = clock
        self._outstanding = Outstanding()
        self._outcomes: list[Item] = []
        self._read: Mapping[int, int] | None = None
        self._due = Part()
        self._replayed: _Replayed | None = None
        self._has_more_due = self._has_more_new = self._has_replay = False
        self._failing_since = 0
        self._was_full = False
        self._probed_at = float("-inf")
        self._ending: Reason | None = None
        # Set after an outcome, and when the pause until the next look is over.
        self._wake = asyncio.Event()
        self._pause: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Deliver until the endpoint is removed or disabled. Raises StorageUnavailable: run another lane."""
        await self._store.events.want(self._tenant, self.webhook.wish, self.webhook.types)
        try:
            async with asyncio.TaskGroup() as group:
                reason = await self._loop(group)
                for task in (self._pause, *self._sending):
                    if task is not None:
                        task.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        if reason is not None:
            await self._disable(self._tenant, self.webhook, reason)

    async def _loop(self, group: asyncio.TaskGroup) -> Reason | None:
        """Deliver until the endpoint has to be disabled, or was removed: None."""
        while True:
            # The tasks of the group call no Redis, so one cancellation ends them.
            raise_if_cancelled()
            await self._commit()
            if self._ending is not None and not self._outstanding:
                return self._ending
            if self._ending is None and self._should_look():
                if not await self._look(group):
                    return None
                continue
            await self._wake.wait()
            self._wake.clear()

    def _should_look(self) -> bool:
        """Whether there may be something to read, and there is room for it."""
        return (
            self._pause is None
            or self._pause.done()
            or (self._has_more_due and self._due.left <= DUE // 2)
            or (self._has_replay and self._replayed is None)
            or (self._has_more_new and self._has_room)
        )

    @property
    def _has_room(self) -> bool:
        return self._outstanding.new <= (0 if self._failing_since else AHEAD - EVENTS)

    async def _look(self, group: asyncio.TaskGroup) -> bool:
        """Read what may be delivered, and begin it. Returns False when the endpoint was removed."""
        now = self._clock()
        state = await self._store.webhooks.state(self._tenant, self.webhook.id, now, DUE)
        if state is None:
            return False
        # A success that is not stored ends the failures, too.
        has_succeeded = any(item.status == "succeeded" for item in self._outcomes)
        self._failing_since = 0 if has_succeeded else state.failing_since
        self._was_full = state.pending >= PENDING
        await self._begin_due(group, state)
        await self._begin_replay(group, state)
        await self._begin_new(group, state)
        self._pause_until(group, state, now)
        return True

    async def _begin_due(self, group: asyncio.TaskGroup, state: State) -> None:
        self._has_more_due = len(state.due) == DUE
        if self._due.left > DUE // 2:
            return
        due = [each for each in state.due or await self._probe(state) if each.id not in self._outstanding]
        # When all of them are being sent, the pause ends before the next look.
        self._has_more_due = self._has_more_due and bool(due)
        for each in due:
            self._begin(group, self._due, each.id, each.delivery, each.body)

    async def _begin_replay(self, group: asyncio.TaskGroup, state: State) -> None:
        replay = state.replay
        self._has_replay = replay is not None
        if replay is None or self._replayed is not None:
            return
        limit = EVENTS_FAILING if self._failing_since else REPLAYED
        batch = await self._store.events.read(self._tenant, replay.at, self.webhook.types, limit)
        part = Part()
        for event in batch.events:
            if replay.since <= event.at <= replay.until:
                self._begin_event(group, part, event)
        self._replayed = _Replayed(part, _rest(replay, batch), state.token)

    async def _begin_new(self, group: asyncio.TaskGroup, state: State) -> None:
        if self._read is None:
            self._read = state.positions
        # Deliveries that are due are older: of one user they have to be sent before.
        may_read = state.pending < PENDING and len(state.due) < DUE
        self._has_more_new = may_read
        if not may_read or not self._has_room:
            return
        limit = EVENTS_FAILING if self._failing_since else EVENTS
        found = await self._store.events.read(self._tenant, self._read, self.webhook.types, limit)
        self._has_more_new = found.more
        if found.positions == self._read:
            return
        # Outcomes that are stored while the positions are not: before a crash, or by a replay.
        ids = [event.id for event in found.events if event.id not in self._outstanding]
        known = await self._store.webhooks.known(self._tenant, self.webhook.id, ids)
        batch = Batch(positions=found.positions)
        for event in found.events:
            if event.id not in known:
                self._begin_event(group, batch, event)
        self._outstanding.read(batch)
        self._read = found.positions

    async def _probe(self, state: State) -> list[Due]:
        """Of an endpoint with too many pending deliveries, one a minute, so that its recovery is noticed."""
        loop = asyncio.get_running_loop()
        if state.pending < PENDING or loop.time() < self._probed_at + PROBE_SECONDS:
            return []
        self._probed_at = loop.time()
        found = await self._store.webhooks.state(self._tenant, self.webhook.id, self._clock(), 1, probe=True)
        return found.due if found is not None else []

    def _pause_until(self, group: asyncio.TaskGroup, state: State, now: int) -> None:
        """Look again after a time, or when there are new events that may be read."""
        seconds = POLL_SECONDS
        # The time of a delivery that is being sent has passed.
        if state.next_due > now:
            seconds = min(seconds, (state.next_due - now) / 1000)
        if self._pause is not None:
            self._pause.cancel()
        if self._has_more_new or state.pending >= PENDING or len(state.due) == DUE:
            waiting = asyncio.sleep(seconds)
        else:
            waiting = self._store.events.wait(self._tenant, self._read or {}, seconds)
        self._pause = group.create_task(waiting)
        self._pause.add_done_callback(lambda _: self._wake.set())

    def _begin_event(self, group: asyncio.TaskGroup, part: Part, event: Event) -> None:
        delivery = Delivery(event.type, event.at, event.user or "")
        self._begin(group, part, event.id, delivery, body_of(event))

    def _begin(
        self, group: asyncio.TaskGroup, part: Part, event: str, delivery: Delivery, body: bytes
    ) -> None:
        user = self._outstanding.add(part, event, delivery, body)
        if user is not None:
            task = group.create_task(self._send(user))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, user: str) -> None:
        """Send the deliveries of a user, one after another, until there are no more."""
        while (task := self._outstanding.first(user)) is not None:
            result = None
            if self._ending is None:
                async with self._budget.slot(self._tenant, self.webhook.id):
                    # The endpoint may have refused all events while this one waited.
                    if self._ending is None:
                        result = await send(self._endpoint, self.webhook, task.id, task.body, self._clock())
            self._note(task, result)
            self._outstanding.pop(user)
            self._wake.set()

    def _note(self, task: Task, result: Outcome | None) -> None:
        """Note the outcome of a request, or None: it is pending until the endpoint is enabled again."""
        now = self._clock()
        if result is None:
            self._outcomes.append(outcome(task.id, "pending", now, task.delivery, task.body))
            return
        attempt = Attempt(now, result.seconds, result.status, result.error)
        delivery = msgspec.structs.replace(
            task.delivery, tries=task.delivery.tries + 1, attempts=[*task.delivery.attempts, attempt]
        )
        status: Status = "succeeded"
        time = now
        metrics.WEBHOOK_REQUESTS["succeeded" if result.succeeded else "failed"].inc()
        if result.succeeded:
            self._failing_since = 0
            self._budget.recovered(self.webhook.id)
        else:
            self._budget.failed(self.webhook.id)
            # An endpoint with old failures is disabled after another one only.
            if result.is_gone or schedule.is_dead(self._failing_since, now):
                self._ending = self._ending or ("gone" if result.is_gone else "failing")
            at = schedule.next_try(delivery.tries, now, result.retry_after, random.random)
            status, time = ("failed", now) if at is None else ("pending", at)
        self._outcomes.append(outcome(task.id, status, time, delivery, task.body))

    async def _commit(self) -> None:
        """Store the outcomes, and the positions that they allow."""
        items, self._outcomes = self._outcomes, []
        positions = self._outstanding.stored(item.id for item in items)
        replayed = self._replayed
        if replayed is not None and replayed.part.left:
            replayed = None
        if not items and positions is None and replayed is None:
            return
        if replayed is not None:
            self._replayed = None
        succeeded = any(item.status == "succeeded" for item in items)
        await self._store.webhooks.commit(
            self._tenant,
            self.webhook.id,
            self._clock(),
            items,
            positions=positions,
            replay=None if replayed is None else replayed.rest,
            token="" if replayed is None else replayed.token,
            answers=(1 if succeeded else -1) if items else 0,
            hasten=succeeded and self._was_full,
        )
        if succeeded and self._was_full:
            self._was_full, self._has_more_due = False, True


def _rest(replay: Replay, batch: EventBatch) -> Replay | None:
    """The rest of a replay behind a part of it; None at its end."""
    rest = any(batch.positions.get(partition, 0) < end for partition, end in replay.ends.items())
    if not rest or not (batch.more or batch.events):
        return None
    return msgspec.structs.replace(replay, at=batch.positions)
