"""The deliveries to one endpoint, in turns: those that are due, a part of a replay, and new events."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from tidings_workers import metrics
from tidings_workers.store import Store
from tidings_workers.store.event_items import Event, EventBatch, body_of
from tidings_workers.store.webhooks import Attempt, Delivery, Due, Item, Replay, State, Status, outcome
from tidings_workers.webhook_endpoints import Reason, Webhook
from tidings_workers.webhooks import schedule
from tidings_workers.webhooks.budget import Budget
from tidings_workers.webhooks.requests import Outcome, send

if TYPE_CHECKING:
    from tidings_workers.egress.client import Endpoint

# New events, or events of a replay, that one turn reads; of an endpoint whose last try failed, fewer.
EVENTS: Final = 200
EVENTS_FAILING: Final = 10
DUE: Final = 50
# Above this the lane reads no new events.
PENDING: Final = 500
PROBE_SECONDS: Final = 60.0
# How soon a lane notices a retry or a replay that somebody asked for.
POLL_SECONDS: Final = 2.0


class _Task(NamedTuple):
    id: str
    delivery: Delivery
    body: bytes


class Lane:
    """Delivers to one endpoint until cancelled. `disable` ends it; `clock` gives Unix ms."""

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
        self._is_failing = False
        self._was_full = False
        self._fresh = True
        self._probed_at = float("-inf")
        self._positions: Mapping[int, int] = {}
        self._outcomes: list[Item] = []
        self._answers = 0
        self._committing = asyncio.Lock()
        self._gone = False

    async def run(self) -> None:
        """Deliver until the endpoint is removed or disabled. Raises StorageUnavailable: start it again."""
        self._outcomes.clear()
        self._fresh = True
        await self._store.events.want(self._tenant, self.webhook.wish, self.webhook.types)
        while True:
            now = self._clock()
            state = await self._store.webhooks.state(self._tenant, self.webhook.id, now, DUE)
            if state is None:
                return
            self._is_failing = state.failing_since > 0
            # An endpoint with old failures is disabled after another one only.
            is_dead = self._answers < 0 and schedule.is_dead(state.failing_since, now)
            if self._gone or is_dead:
                await self._disable(self._tenant, self.webhook, "gone" if self._gone else "failing")
                return
            self._answers = 0
            if not await self._turn(state):
                await self._wait(state)

    async def _turn(self, state: State) -> bool:
        """One turn. Returns whether there may be more to do at once."""
        due = state.due or await self._probe(state)
        limit = EVENTS_FAILING if self._is_failing else EVENTS
        tasks = {each.id: _Task(each.id, each.delivery, each.body) for each in due}
        replay, again = state.replay, None
        if replay is not None:
            again = await self._store.events.read(self._tenant, replay.at, self.webhook.types, limit)
            for event in again.events:
                if replay.since <= event.at <= replay.until:
                    tasks.setdefault(event.id, _new(event))
        batch: EventBatch | None = None
        self._positions = state.positions
        if state.pending < PENDING and replay is None:
            batch = await self._store.events.read(self._tenant, state.positions, self.webhook.types, limit)
            self._positions = batch.positions
            known: set[str] = set()
            if self._fresh:
                # Outcomes that were stored before the positions of their turn were.
                ids = [event.id for event in batch.events]
                known = await self._store.webhooks.known(self._tenant, self.webhook.id, ids)
                self._fresh = False
            for event in batch.events:
                if event.id not in known:
                    tasks.setdefault(event.id, _new(event))
        self._was_full = state.pending >= PENDING
        await self._deliver(list(tasks.values()))
        moved = batch is not None and batch.positions != state.positions
        if replay is not None and again is not None:
            await self._commit(replay=_next(replay, again), token=state.token)
        elif moved and batch is not None:
            await self._commit(positions=batch.positions)
        return bool(tasks) or moved or replay is not None

    async def _probe(self, state: State) -> list[Due]:
        """Of an endpoint with too many pending deliveries, one a minute, so that its recovery is noticed."""
        loop = asyncio.get_running_loop()
        if state.pending < PENDING or loop.time() < self._probed_at + PROBE_SECONDS:
            return []
        self._probed_at = loop.time()
        found = await self._store.webhooks.state(self._tenant, self.webhook.id, self._clock(), 1, probe=True)
        return found.due if found is not None else []

    async def _wait(self, state: State) -> None:
        seconds = POLL_SECONDS
        if state.next_due:
            seconds = min(seconds, max(0.0, (state.next_due - self._clock()) / 1000))
        if state.pending >= PENDING:
            await asyncio.sleep(seconds)
        else:
            await self._store.events.wait(self._tenant, self._positions, seconds)

    async def _deliver(self, tasks: list[_Task]) -> None:
        """Deliver: the events of one user in order, those of different users at the same time."""
        chains: dict[str, list[_Task]] = {}
        for task in tasks:
            chains.setdefault(task.delivery.user or f"/{task.id}", []).append(task)
        if not chains:
            return
        try:
            async with asyncio.TaskGroup() as group:
                for chain in chains.values():
                    group.create_task(self._chain(chain))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        await self._commit()

    async def _chain(self, chain: list[_Task]) -> None:
        for task in chain:
            if self._gone:
                # It wants none of the others either: they wait until it is enabled again.
                self._leave(task)
                continue
            async with self._budget.slot(self._tenant, self.webhook.id):
                result = await send(self._endpoint, self.webhook, task.id, task.body, self._clock())
            self._note(task, result)
            if not self._committing.locked():
                await self._commit()

    def _leave(self, task: _Task) -> None:
        self._outcomes.append(outcome(task.id, "pending", self._clock(), task.delivery, task.body))

    def _note(self, task: _Task, result: Outcome) -> None:
        now = self._clock()
        attempt = Attempt(now, result.seconds, result.status, result.error)
        delivery = msgspec.structs.replace(
            task.delivery, tries=task.delivery.tries + 1, attempts=[*task.delivery.attempts, attempt]
        )
        status: Status = "succeeded"
        time = now
        metrics.WEBHOOK_REQUESTS["succeeded" if result.succeeded else "failed"].inc()
        if result.succeeded:
            self._answers = 1
            self._budget.recovered(self.webhook.id)
        else:
            self._answers = self._answers or -1
            self._budget.failed(self.webhook.id)
            self._gone = self._gone or result.is_gone
            at = schedule.next_try(delivery.tries, now, result.retry_after, random.random)
            status, time = ("failed", now) if at is None else ("pending", at)
        self._outcomes.append(outcome(task.id, status, time, delivery, task.body))

    async def _commit(
        self, *, positions: Mapping[int, int] | None = None, replay: Replay | None = None, token: str = ""
    ) -> None:
        async with self._committing:
            items, self._outcomes = self._outcomes, []
            if not items and positions is None and not token:
                return
            succeeded = any(item.status == "succeeded" for item in items)
            answers = (1 if succeeded else -1) if items else 0
            await self._store.webhooks.commit(
                self._tenant,
                self.webhook.id,
                self._clock(),
                items,
                positions=positions,
                replay=replay,
                token=token,
                answers=answers,
                hasten=succeeded and self._was_full,
            )
            self._was_full = self._was_full and not succeeded


def _new(event: Event) -> _Task:
    return _Task(event.id, Delivery(event.type, event.at, event.user or ""), body_of(event))


def _next(replay: Replay, batch: EventBatch) -> Replay | None:
    """The rest of a replay behind a part of it; None at its end."""
    rest = any(batch.positions.get(partition, 0) < end for partition, end in replay.ends.items())
    if not rest or not (batch.more or batch.events):
        return None
    return msgspec.structs.replace(replay, at=batch.positions)
