"""Memory: the growth of Valkey per notification, and per action of a user."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import uvloop

from bench import server
from bench.inbox import marking
from bench.inbox.calls import dispatched, opened
from bench.inbox.world import TO_ALL, fill, join
from bench.measurement import Bench, Measurement
from bench.notifications import CONTENT
from bench.poller import Poller
from bench.server import Server
from bench.websocket import client, open_all
from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store import Store

FIRST: Final = "memory of a user's first notification"
DIRECT: Final = "memory of a direct notification"
DIRECT_WITH_CATEGORY: Final = "memory of a direct notification with a category"
BROADCAST: Final = "memory of a notification to all"
COPY: Final = "memory of a compound copy"
IDLE: Final = "memory of a user who was there once"
SINGLE_MARKS: Final = "memory of a user's marks, one by one"
MARK_ALL: Final = "memory of a user's mark of everything"

_PER_SEND: Final = 100
_USERS: Final = 100
_MEMBERS: Final = 1_000
_TO_GROUPS: Final = Target(groups=("even", "odd"))
# Kinds with little data each need more of them for a measurable difference.
_MANY: Final = 10
_STILL_SECONDS: Final = 0.3
# Valkey's own buffers, which change all the time.
_BUFFERS: Final = ("mem_clients_normal", "mem_aof_buffer")


def memory(bench: Bench) -> Sequence[Measurement]:
    """Each kind separately, as the difference of INFO memory once it is stable."""
    scale = bench.scale
    visitors = [f"visitor-{index}" for index in range(_MANY * scale.users)]
    with server.running(bench.cores) as running:
        measured = uvloop.run(_notifications(running, scale.stored))
        before = uvloop.run(_settled(running))
        poller = Poller()
        tokens = [client(running.token(user, "inbox")) for user in visitors]
        for opened_socket in open_all(poller, running.realtime_port, tokens, bench.scale.opening):
            opened_socket.socket.close()
        poller.close()
        idle = (uvloop.run(_settled(running)) - before) / len(visitors)
        measured.append(Measurement(IDLE, idle, "bytes", {"count": len(visitors)}))
        measured += uvloop.run(_marks(running, scale.users, scale.marks))
    return measured


async def _settled(running: Server) -> int:
    async with opened(running) as store:
        return await _used(store)


async def _used(store: Store) -> int:
    """The memory of the data, once the dispatcher has finished its work."""
    await dispatched(store)
    before = -1
    while True:
        information = await store.redis.info("memory")
        used = int(information["used_memory"]) - sum(int(information[name]) for name in _BUFFERS)
        if used == before:
            return used
        before = used
        await asyncio.sleep(_STILL_SECONDS)


async def _growth(store: Store, name: str, count: int, work: Callable[[], Awaitable[object]]) -> Measurement:
    before = await _used(store)
    await work()
    return Measurement(name, (await _used(store) - before) / count, "bytes", {"count": count})


async def _notifications(running: Server, count: int) -> list[Measurement]:
    async with opened(running) as store:

        async def send(targets: Sequence[Target], category: str | None) -> None:
            for start in range(0, count, _PER_SEND):
                some = targets[start : start + _PER_SEND]
                content = {**CONTENT, "category": category}
                await store.sends.send(running.tenant, [CreateNotification(to=to, **content) for to in some])

        # A user's first notification creates the log and more, which later ones do not.
        newcomers = [Target(users=(f"user-{index}",)) for index in range(count)]
        users = [newcomers[index % _USERS] for index in range(count)]
        return [
            await _growth(store, FIRST, count, lambda: send(newcomers, None)),
            await _growth(store, DIRECT, count, lambda: send(users, None)),
            await _growth(store, DIRECT_WITH_CATEGORY, count, lambda: send(users, "orders")),
            await _growth(store, BROADCAST, count, lambda: send([TO_ALL] * count, "orders")),
            await _copies(store, running.tenant, count),
        ]


async def _copies(store: Store, tenant: str, count: int) -> Measurement:
    """The cost of each copy of a send to two groups, with its share of the record and of the content."""
    members = [f"member-{index}" for index in range(min(count, _MEMBERS))]
    await join(store, tenant, {"even": members[::2], "odd": members[1::2]})
    notification = CreateNotification(to=_TO_GROUPS, **CONTENT)

    async def send(times: int) -> None:
        for _ in range(times):
            await store.sends.send(tenant, [notification])
        await dispatched(store)

    # The first copy of a user creates the log.
    await send(1)
    times = max(1, count // len(members))
    return await _growth(store, COPY, times * len(members), lambda: send(times))


async def _marks(running: Server, users: int, marks: int) -> list[Measurement]:
    tenant = running.tenant
    async with opened(running) as store:
        sent = await fill(store, tenant, [TO_ALL] * (2 * marks), shuffled=False)
        chosen = [identity for _, identity in sent[::-2]]

        async def one_by_one() -> None:
            for index in range(users):
                for identity in chosen:
                    await marking.mark(store, tenant, f"single-{index}", marking.read(identity), 1)

        async def everything() -> None:
            for index in range(_MANY * users):
                await store.marks.mark(tenant, f"all-{index}", marking.ALL_READ)

        return [
            await _growth(store, SINGLE_MARKS, users, one_by_one),
            await _growth(store, MARK_ALL, _MANY * users, everything),
        ]
