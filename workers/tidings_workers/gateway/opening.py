"""Opens a session, from a verified token and a connect frame to the welcome.

The order matters: check limits, register interest in every log of the user, store the device's start, and
then, in one synchronous step, send the welcome with the start of each log and start the catch-up there.
"""

import asyncio
import time
from typing import Literal

from msgspec.structs import replace

from tidings.protocol.frames import Connect, Counts, Gap, Resume, Stated, Welcome
from tidings_workers import metrics
from tidings_workers.gateway.acknowledgements import Acknowledgements
from tidings_workers.gateway.admission import deadline
from tidings_workers.gateway.catchup import Backlog
from tidings_workers.gateway.catchups import CatchUps
from tidings_workers.gateway.connection import Connection
from tidings_workers.gateway.directory import Directory
from tidings_workers.gateway.states import Missed, state_frame
from tidings_workers.gateway.subscriptions import Subscriptions
from tidings_workers.gateway.users import Subscriber, User, UserLog
from tidings_workers.gateway.wire import moment
from tidings_workers.store import InboxQuery, Lost, Store, intervals
from tidings_workers.store.attaching import Arrival
from tidings_workers.store.feeds import Acknowledgement
from tidings_workers.store.ids import milliseconds
from tidings_workers.tokens import Identity


class _Start:
    """The start of a connection in each log, and the gaps."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.gaps: list[Gap] = []
        self.departed: set[str] = set()
        self.resume: Literal["none", "complete", "gap"] = "none"
        self.replay = False
        self.store_device = False
        # Marks after the state version of the client; None when the client must reload.
        self.missed: Missed = ()


class Opening:
    """Opens the sessions of one gateway. `heartbeat`: seconds."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        catchups: CatchUps,
        subscriptions: Subscriptions,
        acknowledgements: Acknowledgements,
        heartbeat: int,
    ) -> None:
        self._store = store
        self._directory = directory
        self._catchups = catchups
        self._subscriptions = subscriptions
        self._acknowledgements = acknowledgements
        self._heartbeat = heartbeat

    async def open(
        self, connection: Connection, identity: Identity, connect: Connect, arrival: Arrival
    ) -> None:
        """Open the session of a connection.

        Raises StorageUnavailable and ConnectionLimitReached; the caller then closes the connection. On return
        `connection.subscriber` is set, if the connection was attached and is not closed.
        """
        user, known = await self._directory.attach(identity.tenant, identity.subject, connect.device, arrival)
        if connection.closed:
            self._directory.release(user)
            return
        subscriber = Subscriber(user, arrival.id, connect.device, connection)
        connection.attach(subscriber)
        user.add(subscriber)
        connect = _named(connect, connection, user)
        start = await self._start(user, known, connect)
        await self._find_missed_marks(user, connect.resume, start)
        if connect.device is not None and start.store_device:
            acknowledgement = Acknowledgement(user.tail.log, connect.device, start.positions, start=True)
            await self._store.feeds.acknowledge([acknowledgement])
        await self._directory.follow_new(user)
        if not connection.closed:
            self._welcome(connection, subscriber, identity, start, connect.resume)

    def open_without_inbox(self, connection: Connection, identity: Identity, name: str) -> None:
        """Open the session of a guest, or of a client that only sends, at once. It has no inbox."""
        is_guest = identity.is_guest
        connection.id = name
        connection.session.welcome(deadline(identity), may_send="send" in identity.scopes, is_guest=is_guest)
        connection.send(
            Welcome(
                connection=name,
                user=identity.subject if is_guest else "",
                epoch=self._store.epoch,
                positions={},
                counts=Counts(0, 0, 0),
                heartbeat=self._heartbeat,
                expires_at=moment(round(identity.expires_at * 1000)),
                resume="none",
            )
        )
        metrics.CONNECTS.inc()
        connection.tick(time.monotonic())
        if not connection.closed:
            connection.receive_waiting()

    def _welcome(
        self,
        connection: Connection,
        subscriber: Subscriber,
        identity: Identity,
        start: _Start,
        resume: Resume | None,
    ) -> None:
        user = subscriber.user
        given = resume.positions if resume is not None and resume.epoch == self._store.epoch else {}
        for log in user.logs():
            if log.name not in start.positions:
                # The user joined this group after the starts were found: its log starts at the join.
                end = log.end
                memberships = log.spans(0, end + 1)
                joined = memberships[0][0] if memberships else end
                start.positions[log.name] = max(joined, given.get(log.name, 0))
        connection.session.welcome(deadline(identity), may_send="send" in identity.scopes)
        connection.send(
            Welcome(
                connection=subscriber.id,
                user=user.name,
                epoch=self._store.epoch,
                positions=start.positions,
                counts=user.counts(milliseconds()),
                heartbeat=self._heartbeat,
                expires_at=moment(round(identity.expires_at * 1000)),
                resume=start.resume,
                state_version=user.state_version,
            )
        )
        metrics.CONNECTS.inc()
        if start.resume != "none":
            metrics.RESUMES[start.resume].inc()
        for gap in start.gaps:
            connection.send(gap)
        # The token may be about to expire, or have expired during the opening.
        connection.tick(time.monotonic())
        if not connection.closed:
            states = _states(user, start.missed)
            backlog = Backlog(dict(start.positions), start.departed, start.replay, states)
            self._catchups.start(subscriber, backlog)
            if resume is not None:
                self._subscriptions.resume(connection, resume.epoch, resume.positions)
            connection.receive_waiting()

    async def _find_missed_marks(self, user: User, resume: Resume | None, start: _Start) -> None:
        """Find the marks that were made while the client was away."""
        if resume is None or resume.state_version is None or resume.epoch != self._store.epoch:
            return
        known = resume.state_version
        while known != user.state_version and start.missed is not None:
            # More marks may arrive while the journal is read.
            up_to = user.state_version
            found = await self._directory.journal(user, known, up_to)
            start.missed = [*start.missed, *found] if found is not None and known < up_to else None
            known = up_to

    async def _start(self, user: User, known: Resume | None, connect: Connect) -> _Start:
        start = _Start()
        start.replay = connect.resume is not None or connect.device is not None or connect.rewind is not None
        start.store_device = True
        if connect.rewind is not None:
            await self._rewind(user, connect.rewind, start)
            return start
        resume = connect.resume or known
        if resume is None:
            start.positions = {log.name: log.end for log in user.logs()}
            return start
        start.resume = "complete"
        if resume.epoch == self._store.epoch:
            await self._resume(user, resume.positions, start)
            start.store_device = resume is not known
            if resume is not known:
                self._acknowledge(user, resume, known, start)
        else:
            for log in user.logs():
                _start_after_data_loss(log, start)
        return start

    async def _resume(self, user: User, given: dict[str, int], start: _Start) -> None:
        for log in list(user.logs()):
            position = given.get(log.name, 0)
            if log.tail is not None and log.is_followed and position > log.tail.position:
                # The client received this position from another gateway: read the log up to it.
                log.tail.report_head(position)
                await self._directory.interest.heal(log.tail)
        logs, now = list(user.logs()), milliseconds()
        losses: dict[str, Lost | None] = {}
        doubtful = [log for log in logs if given.get(log.name, 0) < _removed_up_to(log, now)]
        if doubtful:
            found = await asyncio.gather(*(self._lost(user, log, given.get(log.name, 0)) for log in doubtful))
            losses = {log.name: lost for log, lost in zip(doubtful, found, strict=True)}
            logs, now = list(user.logs()), milliseconds()
        for log in logs:
            position, lost = given.get(log.name, 0), losses.get(log.name)
            facts = log.facts(now)
            if position > max(facts.head, log.end):
                _start_after_data_loss(log, start)
                continue
            if lost is not None:
                reason: Literal["trimmed", "expired"] = "trimmed" if lost.erased else "expired"
                start.gaps.append(Gap(log.name, lost.first, lost.last, lost.missed, reason, lost.in_archive))
                start.resume = "gap"
                position = max(position, facts.floor)
            start.positions[log.name] = position
            if log.name in given and not log.is_followed:
                start.departed.add(log.name)

    def _acknowledge(self, user: User, resume: Resume, known: Resume | None, start: _Start) -> None:
        """A resume acknowledges what it says arrived. `known`: the positions of the device in the store."""
        before = known.positions if known is not None and known.epoch == resume.epoch else {}
        for name, position in resume.positions.items():
            if position > 0 and name in start.positions:
                log = user.log(name)
                self._acknowledgements.add_resumed(user, log, before.get(name), min(position, log.end))

    async def _lost(self, user: User, log: UserLog, position: int) -> Lost | None:
        """The positions after `position` that retention or erasure removed, as the store reports them."""
        passed = intervals.common(log.all_spans(), [position, _removed_up_to(log, milliseconds())])
        hidden = user.hidden.get(log.log.base, [])
        return await self._store.retention.lost(log.log, intervals.minus(passed, hidden))

    async def _rewind(self, user: User, count: int, start: _Start) -> None:
        """Start before the last `count` notifications that the user may see, over all logs."""
        start.positions = {log.name: log.end for log in user.logs()}
        if count:
            query = InboxQuery(limit=count, only_live=True)
            page = await self._store.inbox.page(user.tenant, user.name, query)
            for item in page.items:
                before = min(start.positions.get(item.log, item.position), item.position - 1)
                start.positions[item.log] = before


def _named(connect: Connect, connection: Connection, user: User) -> Connect:
    """The frame with all positions of the client's resume by name."""
    resume = connect.resume
    more = connection.resumed([log.name for log in user.logs()]) if resume is not None else {}
    if resume is None or not more:
        return connect
    return replace(connect, resume=replace(resume, positions={**more, **resume.positions}))


def _states(user: User, missed: Missed) -> list[Stated]:
    if missed is not None and not missed:
        return []
    counts = user.counts(milliseconds())
    if missed is None:
        return [Stated(counts=counts, state_version=user.state_version, changes=(), reload=True)]
    return [state_frame(change, version, counts) for version, change in missed]


def _removed_up_to(log: UserLog, now: int) -> int:
    """The last position of a log that retention may have removed at a time in ms."""
    facts = log.facts(now)
    return min(max(facts.floor, facts.retired), facts.head)


def _start_after_data_loss(log: UserLog, start: _Start) -> None:
    """The client's positions are of another epoch: start at the end of the log, with a gap."""
    end = log.end
    start.gaps.append(Gap(log.name, min(1, end), end, None, "epoch"))
    start.resume = "gap"
    start.positions[log.name] = end
