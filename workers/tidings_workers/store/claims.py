"""Idempotency keys: the first request with a key claims it, and a repetition gets the first one's ids."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tidings.protocol import limits
from tidings_workers.store.core import Core
from tidings_workers.store.errors import IdempotencyMismatch
from tidings_workers.store.packing import pack

SEED_BYTES: Final = 16
_KEPT_MS: Final = limits.IDEMPOTENCY_KEPT_SECONDS * 1000


class Idempotency(Struct, frozen=True):
    """An idempotency key and the digest of its body."""

    key: str
    digest: bytes


class Claim(Struct, array_like=True, frozen=True):
    """The stored claim of a key: the time of the first request in Unix ms, and the seed of its ids."""

    digest: bytes
    accepted_at: int
    seed: bytes


class Claimed(Struct, frozen=True):
    """A claim; `replayed` when an earlier request made it."""

    claim: Claim
    replayed: bool


_decode: Final = msgspec.msgpack.Decoder(Claim).decode


async def claim_each(
    core: Core, tenant: str, requests: Sequence[Idempotency], now: int
) -> list[Claimed | IdempotencyMismatch]:
    """Claim the keys of requests at a time in Unix ms, with one call per partition.

    A key of another body gets IdempotencyMismatch in its place. Raises StorageUnavailable.
    """
    # One call for all: each asks the kernel.
    seeds = secrets.token_bytes(SEED_BYTES * len(requests))
    claims = [
        Claim(request.digest, now, seeds[start : start + SEED_BYTES])
        for request, start in zip(requests, range(0, len(seeds), SEED_BYTES), strict=True)
    ]
    partitions: dict[int, list[int]] = {}
    keys = []
    for index, request in enumerate(requests):
        partition, key = core.keys.claim(tenant, request.key)
        partitions.setdefault(partition, []).append(index)
        keys.append(key)
    calls = []
    for partition, indexes in partitions.items():
        pairs = [part for index in indexes for part in (keys[index], pack(claims[index]))]
        calls.append(core.run("claim", partition, _KEPT_MS, *pairs))
    answers = [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)
    claimed: list[Claimed | IdempotencyMismatch] = [Claimed(claim, replayed=False) for claim in claims]
    for indexes, held in zip(partitions.values(), answers, strict=True):
        for index, value in zip(indexes, held, strict=True):
            if value:
                claimed[index] = _earlier(_decode(value), claims[index])
    return claimed


def _earlier(earlier: Claim, own: Claim) -> Claimed | IdempotencyMismatch:
    if earlier.digest != own.digest:
        return IdempotencyMismatch()
    # When the reply to our own claim was lost, the repeated call returns that claim: the seeds are equal.
    return Claimed(earlier, replayed=earlier.seed != own.seed)
