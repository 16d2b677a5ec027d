"""Opening a session: from a verified token and a connect frame to a welcome.

Order matters: limits, then interest in every log of the user, then the device's start is stored,
then, in one synchronous step, the welcome says where each log starts and the catch-up begins there.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Literal

from tidings.protocol import closing, limits
from tidings.protocol.frames import Connect, Gap, Resume, Stated, Welcome
from tidings.protocol.names import is_id
from tidings_workers import metrics
from tidings_workers.gateway.directory import Missed
from tidings_workers.gateway.hub import Hub
from tidings_workers.gateway.states import stated
from tidings_workers.gateway.users import User
from tidings_workers.gateway.wire import moment
from tidings_workers.store import InboxQuery, Lost, intervals
from tidings_workers.store.feeds import Acknowledgement, Arrival
from tidings_workers.store.keys import milliseconds
from tidings_workers.tokens import Identity

if TYPE_CHECKING:
    from tidings_workers.gateway.connection import Connection


class _Start:
    """Where a connection starts, and what can't be had."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.gaps: list[Gap] = []
        self.departed: set[str] = set()
        self.resume: Literal["none", "complete", "gap"] = "none"
        self.replay = False
        self.store_device = False
        # What was marked after the version that the client knows; None when it has to reload.
        self.missed: Missed = ()


async def open_session(
    hub: Hub, connection: "Connection", identity: Identity, connect: Connect, arrival: Arrival
) -> None:
    """Open the session of a connection. The caller closes it on StorageUnavailable and SessionRefused."""
    user, known = await hub.directory.attach(identity.tenant, identity.subject, connect.device, arrival)
    if connection.closed:
        hub.interest.release(user.topic)
        return
    connection.user = user
    user.connections[connection] = None
    start = await _start(hub, user, known, connect)
    await _catch_up_with_state(hub, user, connect.resume, start)
    if connect.device is not None and start.store_device:
        acknowledgement = Acknowledgement(user.topic.log, connect.device, start.positions, anew=True)
        await hub.store.feeds.acknowledge([acknowledgement])
    if connection in user.connections:
        # It did not close meanwhile.
        _welcome(hub, connection, identity, start)


def _welcome(hub: Hub, connection: "Connection", identity: Identity, start: _Start) -> None:
    user = connection.user
    for name in user.names():
        # A log that came while we opened starts where the user joined it.
        first = user.spans(name, 0, user.end(name) + 1)
        start.positions.setdefault(name, first[-1][0] if first else user.end(name))
    connection.session.welcome(deadline(identity))
    connection.send(
        Welcome(
            connection=connection.id,
            user=user.name,
            epoch=hub.store.epoch,
            positions=start.positions,
            counts=hub.counts(user),
            heartbeat=connection.heartbeat,
            expires_at=moment(round(identity.expires_at * 1000)),
            resume=start.resume,
            state_version=user.state_version,
        )
    )
    metrics.CONNECTS.inc()
    if start.resume != "none":
        metrics.RESUMES.labels(result=start.resume).inc()
    for gap in start.gaps:
        connection.send(gap)
    # A short token is about to end already, or has ended meanwhile.
    connection.tick(time.monotonic())
    if not connection.closed:
        connection.start(
            dict(start.positions),
            start.departed,
            replay=start.replay,
            states=_states(hub, user, start.missed),
        )
        connection.answer_waiting()


async def _catch_up_with_state(hub: Hub, user: User, resume: Resume | None, start: _Start) -> None:
    """Find out what was marked while the client was away."""
    if resume is None or resume.state_version is None or resume.epoch != hub.store.epoch:
        return
    known = resume.state_version
    while known != user.state_version and start.missed is not None:
        # More may come while we look.
        up_to = user.state_version
        found = await hub.directory.journal(user, known, up_to)
        start.missed = [*start.missed, *found] if found is not None and known < up_to else None
        known = up_to


def _states(hub: Hub, user: User, missed: Missed) -> list[Stated]:
    counts = hub.counts(user)
    if missed is None:
        return [Stated(counts=counts, state_version=user.state_version, changes=(), reload=True)]
    return [stated(change, version, counts) for version, change in missed]


async def _start(hub: Hub, user: User, known: Resume | None, connect: Connect) -> _Start:
    start = _Start()
    start.replay = connect.resume is not None or connect.device is not None or connect.rewind is not None
    start.store_device = True
    if connect.rewind is not None:
        await _rewind(hub, user, connect.rewind, start)
        return start
    resume = connect.resume or known
    if resume is None:
        start.positions = {name: user.end(name) for name in user.names()}
        return start
    start.resume = "complete"
    if resume.epoch == hub.store.epoch:
        await _resume(hub, user, resume.positions, start)
        start.store_device = resume is not known
    else:
        for name in user.names():
            _epoch_gap(user, name, start)
    return start


async def _resume(hub: Hub, user: User, given: dict[str, int], start: _Start) -> None:
    for name in user.names():
        position = given.get(name, 0)
        topic = user.followed(name)
        if topic is not None and position > topic.position:
            # Another gateway may have been faster: the log has the last word.
            topic.seen = max(topic.seen, position)
            await hub.interest.heal(topic)
    # Almost always none: so nobody waits for the store, nor for tasks.
    doubtful = [name for name in user.names() if given.get(name, 0) < _reach(user, name)]
    found = await asyncio.gather(*(_lost(hub, user, name, given.get(name, 0)) for name in doubtful))
    losses = dict(zip(doubtful, found, strict=True))
    for name in user.names():
        position, lost = given.get(name, 0), losses.get(name)
        facts = user.facts(name, milliseconds())
        if position > max(facts.head, user.end(name)):
            _epoch_gap(user, name, start)
            continue
        if lost is not None:
            reason: Literal["trimmed", "expired"] = "trimmed" if lost.erased else "expired"
            start.gaps.append(Gap(name, lost.first, lost.last, lost.missed, reason))
            start.resume = "gap"
        start.positions[name] = max(position, facts.floor) if lost is not None else position
        if name in given and name.startswith("group:") and user.followed(name) is None:
            start.departed.add(name)


def _reach(user: User, name: str) -> int:
    """Up to where something of a log may be gone, other than recalled or ended by itself."""
    facts = user.facts(name, milliseconds())
    return min(max(facts.floor, facts.retired), facts.head)


async def _lost(hub: Hub, user: User, name: str, position: int) -> Lost | None:
    """What is gone of a log since a position, as the store has it."""
    log = hub.log(user, name)
    seen = intervals.common(user.all_spans(name), [position, _reach(user, name)])
    return await hub.store.retention.lost(log, intervals.minus(seen, user.hidden.get(log.base, [])))


def _epoch_gap(user: User, name: str, start: _Start) -> None:
    """The client's positions are of another store: it starts at the ends and reloads."""
    end = user.end(name)
    start.gaps.append(Gap(name, min(1, end), end, None, "epoch"))
    start.resume = "gap"
    start.positions[name] = end


async def _rewind(hub: Hub, user: User, count: int, start: _Start) -> None:
    """Start before the last `count` that the user may see, over all logs."""
    start.positions = {name: user.end(name) for name in user.names()}
    if count:
        page = await hub.store.inbox(user.tenant, user.name, InboxQuery(limit=count))
        for item in page.items:
            before = min(start.positions.get(item.log, item.position), item.position - 1)
            start.positions[item.log] = before


def refusal(identity: Identity) -> closing.CloseCode | None:
    """Why this identity can't have a session, or None."""
    if "inbox" not in identity.scopes:
        return closing.NO_INBOX_SCOPE
    if not is_id(identity.subject):
        return closing.INVALID_TOKEN
    return None


def deadline(identity: Identity) -> float:
    """When a token ends, on the monotonic clock that sessions use."""
    return time.monotonic() + identity.expires_at + limits.TOKEN_LEEWAY_SECONDS - time.time()
