"""The positions of sinks in the events of their tenants, and which bridge writes for each sink."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tidings_workers.store.core import Core
from tidings_workers.store.keys import partition_of
from tidings_workers.store.packing import Packed, pack

LEASE_SECONDS: Final = 6.0
"""A bridge that does not renew its lease for this long loses the sink to another one."""

_decode: Final = msgspec.json.Decoder(dict[int, int]).decode


class SinkCall(Packed, frozen=True):
    """The request of sink.lua."""

    owner: str
    holder: str
    life: int
    positions: str
    first: str


class Sinks:
    """The leases and positions of sinks. A position is the last number of each partition."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def take(
        self, tenant: str, name: str, holder: str, heads: Mapping[int, int]
    ) -> dict[int, int] | None:
        """Take the lease of a sink. Returns its positions, or None when another bridge has it.

        A new sink begins behind `heads`. No position is above them: the data may be older than it.
        """
        found = await self._call(tenant, name, holder, first=_text(heads))
        if found is None:
            return None
        return {partition: min(at, heads.get(partition, 0)) for partition, at in _decode(found).items()}

    async def renew(self, tenant: str, name: str, holder: str) -> bool:
        """Renew the lease. Returns False when another bridge has it."""
        return await self._call(tenant, name, holder) is not None

    async def move(self, tenant: str, name: str, holder: str, positions: Mapping[int, int]) -> bool:
        """Store positions and renew the lease. Returns False when this bridge has lost it."""
        return await self._call(tenant, name, holder, positions=_text(positions)) is not None

    async def release(self, tenant: str, name: str, holder: str) -> None:
        """End the lease of a bridge that stops."""
        await self._call(tenant, name, holder, seconds=0)

    async def _call(
        self,
        tenant: str,
        name: str,
        holder: str,
        *,
        seconds: float = LEASE_SECONDS,
        positions: str = "",
        first: str = "",
    ) -> bytes | None:
        request = SinkCall(f"{tenant}/{name}", holder, int(seconds * 1000), positions, first)
        partition = partition_of(tenant, "", self._core.partitions)
        held, found = await self._core.run("sink", partition, pack(request))
        return bytes(found) if held else None


def _text(positions: Mapping[int, int]) -> str:
    return msgspec.json.encode(dict(positions)).decode()
