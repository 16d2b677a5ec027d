"""Acknowledgements of users without a connection: a client of server-sent events acknowledges by REST."""

from collections.abc import Mapping

from tidings_workers.store import intervals
from tidings_workers.store.core import Core
from tidings_workers.store.feeds import Acknowledgement, Delivery, Feeds
from tidings_workers.store.surveys import look


class Acknowledging:
    """Stores the acknowledgements of users."""

    def __init__(self, core: Core, feeds: Feeds) -> None:
        self._core = core
        self._feeds = feeds

    async def acknowledge(
        self, tenant: str, user: str, positions: Mapping[str, int], device: str | None
    ) -> None:
        """The user received everything up to these positions; those past the end of a log are cut to it.

        Logs that the user does not have, and topics, are ignored. A device that the store does not know yet
        begins at the ends of the other logs. Receipts count the deliveries a moment later.
        """
        _, shares, _, found, _ = await look(self._core, tenant, user)
        own = self._core.keys.user(tenant, user)
        ends = {
            share.log.name: intervals.last(share.spans, known.head)
            for share, known in zip(shares, found.logs, strict=True)
        }
        cut = {log: min(position, ends[log]) for log, position in positions.items() if log in ends}
        deliveries = []
        for share in shares:
            spans = list(intervals.pairs(intervals.common(share.spans, [0, cut.get(share.log.name, 0)])))
            if spans:
                deliveries.append(Delivery(own, tenant, user, share.log.base, spans))
        if deliveries:
            await self._feeds.deliver(deliveries)
        if device is not None:
            await self._feeds.acknowledge([Acknowledgement(own, device, cut, start=False, initial=ends)])
