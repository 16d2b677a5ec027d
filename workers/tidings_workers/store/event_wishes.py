"""Which types of events somebody wants, per tenant: no others are written."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from tidings_workers.store.core import Core
from tidings_workers.store.errors import TooManyConsumers
from tidings_workers.store.keys import partition_of
from tidings_workers.store.packing import Packed, pack, text

# How long the wish of a reader lasts after its last reading; it is also how long events are kept.
READER_SECONDS: Final = 7 * 24 * 3600
CONSUMERS: Final = 100
_RENEW_SECONDS: Final = 3600
# Each partition has a share of TIDINGS_EVENTS_BYTES, and never less than this.
_LEAST_BYTES: Final = 64 * 1024
_REMEMBERED: Final = 10_000


class Wish(Packed, frozen=True):
    """The request of wish.lua."""

    tenant: str
    by: str
    types: list[str]
    life: int
    most: int


class Wishes:
    """The wishes of all tenants, in the store."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._renewed: dict[tuple[str, str, str, frozenset[str]], float] = {}

    async def want(self, tenant: str, by: str, types: Iterable[str], seconds: int | None = None) -> None:
        """`by` wants these types from now on: what happens after the return is written.

        Without `seconds` the wish lasts until `by` has another one. With it, it adds to the earlier ones and
        ends after that time. Raises TooManyConsumers, or StorageUnavailable: then call it again.
        """
        core = self._core
        request = Wish(tenant, by, sorted(types), (seconds or 0) * 1000, CONSUMERS)
        answer = await core.run(
            "wish", partition_of(tenant, "", core.partitions), pack(request), durable=True
        )
        if not answer:
            raise TooManyConsumers(f"The tenant has {CONSUMERS} consumers of events already.")
        version, until, *wanted = map(text, answer)
        most = max(core.settings.events_bytes // core.partitions, _LEAST_BYTES)
        wish = f"{until} {most} {' '.join(wanted)} "
        await asyncio.gather(
            *(
                core.run("set_wish", partition, tenant, version, wish, durable=True)
                for partition in range(core.partitions)
            )
        )

    async def renew(self, tenant: str, by: str, types: frozenset[str]) -> None:
        """A reader wants these types; the store is asked at most once an hour."""
        key = (self._core.epoch, tenant, by, types)
        now = time.monotonic()
        if self._renewed.get(key, -_RENEW_SECONDS) + _RENEW_SECONDS > now:
            return
        await self.want(tenant, by, types, READER_SECONDS)
        if len(self._renewed) >= _REMEMBERED:
            self._renewed.clear()
        self._renewed[key] = now

    async def check(self, tenant: str, by: str, types: frozenset[str], wishes: Iterable[bytes]) -> None:
        """Renew the wish of a reader that a partition has lost. `wishes`: the texts of the partitions."""
        key = (self._core.epoch, tenant, by, types)
        if key in self._renewed and not all(types.issubset(wish.decode().split()) for wish in wishes):
            del self._renewed[key]
            await self.renew(tenant, by, types)
