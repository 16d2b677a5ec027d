"""Filled inboxes: the members of groups, and the notifications of users."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

from bench.notifications import CONTENT
from bench.poller import Stalled
from tidings.protocol.notifications import CreateNotification, Target
from tidings_workers.store import Store
from tidings_workers.store.keys import tag

COMMON: Final = "orders"
RARE: Final = "billing.overdue"  # one in a thousand
PREFIX: Final = "billing."  # the prefix of one in a hundred

_SEED: Final = 11
_PER_SEND: Final = 100
_SENDS_AT_ONCE: Final = 4
_PATIENCE_SECONDS: Final = 60.0
TO_ALL: Final = Target(all=True)


async def join(store: Store, tenant: str, memberships: Mapping[str, Sequence[str]]) -> None:
    """Create groups with these members; returns when every member's slot has its membership."""
    for group, members in memberships.items():
        await store.groups.change(tenant, group, members, [])
    expected: dict[str, int] = {}
    for members in memberships.values():
        for user in members:
            expected[user] = expected.get(user, 0) + 1
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for user, count in expected.items():
        log = store.keys.user(tenant, user)
        while await store.redis.execute_command("HLEN", f"{tag(log.partition)}/{log.base}/groups") < count:
            if time.monotonic() > deadline:
                raise Stalled(f"{user} was not in {count} groups within {_PATIENCE_SECONDS:g} s")
            await asyncio.sleep(0.02)


async def fill(
    store: Store, tenant: str, targets: Sequence[Target], *, shuffled: bool = True
) -> list[tuple[Target, str]]:
    """Send one notification with a random category to each target. Returns their ids, oldest first.

    The logs grow together, as they do in use, so a merged list changes between the logs often.
    """
    order = random.Random(_SEED).sample(targets, len(targets)) if shuffled else targets
    sent: list[tuple[Target, str]] = []
    # Concurrent sends share a pipeline; those to one log keep their order.
    batches = [order[start : start + _PER_SEND] for start in range(0, len(order), _PER_SEND)]
    for start in range(0, len(batches), _SENDS_AT_ONCE):
        some = batches[start : start + _SENDS_AT_ONCE]
        first = start * _PER_SEND
        accepted = await asyncio.gather(
            *(
                store.sends.send(tenant, _notifications(batch, first + index * _PER_SEND))
                for index, batch in enumerate(some)
            )
        )
        for batch, acceptance in zip(some, accepted, strict=True):
            sent += zip(batch, acceptance.ids, strict=True)
    return sent


def _notifications(targets: Sequence[Target], first: int) -> list[CreateNotification]:
    return [
        CreateNotification(to=target, **{**CONTENT, "category": _category(first + index)})
        for index, target in enumerate(targets)
    ]


def _category(number: int) -> str:
    if number % 1000 == 0:
        return RARE
    return f"{PREFIX}paid" if number % 100 == 0 else COMMON


def to_groups_and_all(groups: Sequence[str], count: int) -> list[Target]:
    """This number of targets: in turn each group, and twice all."""
    kinds = [*(Target(groups=(group,)) for group in groups), TO_ALL, TO_ALL]
    return [kinds[number % len(kinds)] for number in range(count)]
