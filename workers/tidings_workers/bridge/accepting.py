"""Accepts the notifications of messages, in order, each message once by its key."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import structs

from tidings_workers import sending
from tidings_workers.bridge.messages import Request
from tidings_workers.refused import Refused, refusal_of
from tidings_workers.store import Acceptance, IdempotencyInProgress, IdempotencyMismatch, Store

# While another source of this process sends a message with the same key.
_PAUSE_SECONDS: Final = 0.05


async def accept(store: Store, tenant: str, requests: Sequence[Request]) -> list[Refused | None]:
    """Accept the notifications of messages. On return they are durable, and None is in their places.

    A message whose key was used for another body gets its refusal. Raises StorageUnavailable: some messages
    may have been accepted then, and the same call completes the others.
    """
    outcomes: list[Refused | None] = []
    for (is_list, series), part in groupby(requests, key=lambda request: (request.is_list, request.series)):
        own = list(part)
        if is_list:
            outcomes += [await _accept_list(store, tenant, request) for request in own]
        elif series:
            outcomes += await _accept_series(store, tenant, own)
        else:
            outcomes += await _accept_each(store, tenant, own)
    return outcomes


async def _accept_series(store: Store, tenant: str, requests: list[Request]) -> list[Refused | None]:
    """Accept records of one partition, in order.

    A topic that was made again has the keys of the old one up to an offset. So if the first key is free, the
    others are, too. If not, each record waits for the one before it.
    """
    first, *others = requests
    outcomes = await _accept_each(store, tenant, [structs.replace(first, again=None)])
    if outcomes == [None]:
        return outcomes + await _accept_each(store, tenant, others)
    return [(await _accept_each(store, tenant, [request]))[0] for request in requests]


async def _accept_each(store: Store, tenant: str, requests: list[Request]) -> list[Refused | None]:
    outcomes: list[Refused | None] = [None] * len(requests)
    waiting = dict(enumerate(requests))
    while waiting:
        named = [(request.notifications[0], request.named) for request in waiting.values()]
        found = await store.sends.send_each(tenant, named)
        sending.count([each for each in found if isinstance(each, Acceptance)])
        again: dict[int, Request] = {}
        for (index, request), outcome in zip(waiting.items(), found, strict=True):
            if isinstance(outcome, IdempotencyInProgress):
                again[index] = request
            elif isinstance(outcome, IdempotencyMismatch):
                if request.again is None:
                    outcomes[index] = refusal_of(outcome)
                else:
                    again[index] = structs.replace(request, named=request.again, again=None)
        if again and len(again) == len(waiting):
            await asyncio.sleep(_PAUSE_SECONDS)
        waiting = again
    return outcomes


async def _accept_list(store: Store, tenant: str, request: Request) -> Refused | None:
    while request.notifications:
        try:
            await sending.send_all(store, tenant, request.notifications, request.named)
        except IdempotencyInProgress:
            await asyncio.sleep(_PAUSE_SECONDS)
        except IdempotencyMismatch as error:
            if request.again is None:
                return refusal_of(error)
            request = structs.replace(request, named=request.again, again=None)
        else:
            break
    return None
