"""How the sources and sinks of bridges work, for `doctor`: reports of running bridges."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from tidings_workers.store.core import Core
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import BRIDGES

# A report of a bridge that was killed is removed by another one after this time.
KEPT_SECONDS: Final = 24 * 3600


class Report(Struct, frozen=True, kw_only=True):
    """How one source or sink of one bridge works.

    Times are Unix ms; `lag` is None where the broker does not say.
    `paused` is empty, or the reason why it does not work.
    """

    bridge: str
    kind: str
    name: str
    type: str
    at: int
    accepted: int = 0
    dead: int = 0
    lag: int | None = None
    paused: str = ""
    last_error: str = ""
    last_error_at: int = 0

    @property
    def field(self) -> str:
        """Its name in the store."""
        return f"{self.bridge} {self.kind} {self.name}"


_decode: Final = msgspec.json.Decoder(Report).decode
_encode: Final = msgspec.json.Encoder().encode


def decode_reports(found: Mapping[bytes, bytes]) -> list[Report]:
    """The reports in the members of the hash, without those of a form that is not known, by kind and name."""
    reports = []
    for value in found.values():
        try:
            reports.append(_decode(value))
        except msgspec.MsgspecError:
            continue
    return sorted(reports, key=lambda report: (report.kind, report.name, report.bridge))


class Bridges:
    """The reports of bridges."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def report(self, reports: Iterable[Report]) -> None:
        """Store the reports of one bridge, and remove those of bridges that were silent for a day."""
        pairs = [part for report in reports for part in (report.field, _encode(report))]
        if pairs:
            await self._core.call("HSET", BRIDGES, *pairs)
        since = milliseconds() - KEPT_SECONDS * 1000
        old = [report.field for report in await self.reports() if report.at < since]
        if old:
            await self._core.call("HDEL", BRIDGES, *old)

    async def reports(self) -> list[Report]:
        """The reports of all bridges, by kind and name."""
        found = await self._core.call("HGETALL", BRIDGES)
        return decode_reports(found)

    async def forget(self, reports: Iterable[Report]) -> None:
        """Remove the reports of a bridge that stops."""
        fields = [report.field for report in reports]
        if fields:
            await self._core.call("HDEL", BRIDGES, *fields)
