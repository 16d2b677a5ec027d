"""The ingress of partitions: reading its entries, and applying the steps that they become.

Each step is applied exactly once: a target partition keeps, per source partition, the last (ingress id, step)
that it applied, and skips steps up to that one. So a step may be sent again after a crash or a lost reply.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from tidings_workers import metrics
from tidings_workers.logs import get_logger
from tidings_workers.store.core import Core
from tidings_workers.store.errors import StorageUnavailable
from tidings_workers.store.keys import ingress, poisoned, probe
from tidings_workers.store.operations import Step, StepPart, Work, decode_operations
from tidings_workers.store.packing import pack, text
from tidings_workers.store.reader import Reader

PROBE_SECONDS: Final = 2.0
# Longer than a command may take: by then its caller has finished the send, or has failed.
UNFINISHED_SECONDS: Final = 3
_ADOPTED: Final = 100

_log = get_logger(__name__)


class Ingress:
    """The work that requests left for other partitions."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._probes = itertools.count()

    async def read(self, reader: Reader, partition: int, after: str, count: int) -> list[Work]:
        """Up to `count` entries after an id, in order. Waits up to two seconds for some."""
        key = ingress(partition)
        streams = await reader.read({key: after}, count)
        batch = []
        for entry_id, fields in streams.get(key, []):
            number, packed = int(entry_id.split(b"-")[0]), fields.get(b"o", b"")
            try:
                operations = decode_operations(packed)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                await self.set_aside(partition, number, packed, error)
                operations = []
            batch.append(Work(number, operations))
        return batch

    async def set_aside(self, partition: int, entry: int, operation: bytes, error: Exception) -> None:
        """Keep `operation`, which cannot be carried out, for an operator, so that later entries go on.

        It goes into the hash `{p<k>}/poisoned`, by the id of its ingress entry.
        """
        if await self._core.call("HSETNX", poisoned(partition), entry, operation):
            metrics.POISONED.inc()
            _log.error("work set aside", partition=partition, entry=entry, reason=repr(error))

    async def trim(self, partition: int, done: int) -> None:
        """Remove the entries up to and with `done`, whose steps every target has applied."""
        await self._core.call("XTRIM", ingress(partition), "MINID", f"{done + 1}-0")

    async def apply(self, source: int, steps: Sequence[Step]) -> None:
        """Apply steps of one source, in rising order, each once. Durable when it returns."""
        targets: dict[int, list[StepPart]] = {}
        for step in steps:
            for partition, operations in step.operations.items():
                targets.setdefault(partition, []).append(StepPart(step.id, step.number, operations))
        futures = [
            self._core.run("apply", partition, pack([str(source), parts]), durable=True)
            for partition, parts in targets.items()
        ]
        await asyncio.gather(*futures)

    async def adopt(self, partition: int) -> None:
        """Put sends into the ingress that an API process began over three seconds ago and did not finish."""
        while await self._core.run("adopt", partition, UNFINISHED_SECONDS * 1_000_000, _ADOPTED) == _ADOPTED:
            pass

    async def probe(self) -> None:
        """Send a token through an ingress and a dispatcher into another partition, and wait for it.

        Raises StorageUnavailable when that takes more than two seconds.
        """
        source = next(self._probes) % self._core.partitions
        target = (source + 1) % self._core.partitions
        token = secrets.token_hex(8)
        await self._core.run("probe", source, token, target)
        deadline = time.monotonic() + PROBE_SECONDS
        while time.monotonic() < deadline:
            found = await self._core.call("GET", probe(target))
            if found is not None and text(found) == token:
                return
            await asyncio.sleep(0.02)
        raise StorageUnavailable(f"No dispatcher works on partition {source}.", "no-dispatcher")
