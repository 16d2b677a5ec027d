"""The base of every room: the pipeline, the keys, and the facts of the store."""

import asyncio
import secrets
from typing import Any, Final

from tidings.protocol import limits
from tidings_workers.archive import Archive, open_archive
from tidings_workers.config import NO_ARCHIVE, Settings
from tidings_workers.identity import identity_of
from tidings_workers.retention_rules import Policies, Rules
from tidings_workers.store.errors import UNREACHABLE, StoreMismatch
from tidings_workers.store.ids import milliseconds
from tidings_workers.store.keys import LAYOUT, META, PARTITIONS_MAXIMUM, Keys
from tidings_workers.store.migration import PREVIOUS, migrate
from tidings_workers.store.newest import NewestTimes
from tidings_workers.store.packing import text
from tidings_workers.store.pipeline import Pipeline
from tidings_workers.store.round_trips import Argument
from tidings_workers.store.server import Durability, check_mode

# A record outlives the claim of its idempotency key; otherwise a late retry would send again.
LEAST_RECORD_MS: Final = limits.IDEMPOTENCY_KEPT_SECONDS * 1000
# With an archive, a record outlives the entries of its notification, because the archiver reads it later.
RECORD_GRACE_MS: Final = 7 * 86_400_000
# The archive got an entry of a former epoch when it was a minute old, the shortest retention of inboxes. An
# entry of this epoch may be a little older than its start: a sender retried, or clocks differ.
EARLY_MS: Final = 30_000


class Core:
    """An open store. `epoch` names its data; `partitions` never changes.

    `began`: when the data began (ms), after a store was emptied; 0 when it is not known. Positions in the
    archive that are older mean other entries.
    `archive` has what the retention removed, if the settings name one. `call` issues one command
    (`Pipeline.call`), `run` a script.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self.pipeline = pipeline
        self.call = pipeline.call
        self.settings = settings
        self.retention_ms = settings.retention_seconds * 1000
        self.policies = Policies(self.retention_ms, archives=settings.archives)
        self.keys = Keys(settings.partitions)
        self.newest = NewestTimes()
        self.archive: Archive | None = open_archive(settings.archive_url or NO_ARCHIVE)
        self.epoch = ""
        self.began = 0
        self.secret = b""
        self.identity = ""
        self.durability = "memory"
        self._durability = Durability(pipeline, settings.durability)

    @property
    def partitions(self) -> int:
        """How many partitions this store has."""
        return self.keys.partitions

    def record_life(self, tenant: str, category: str | None) -> int:
        """How long the record of a notification is kept, in ms; 0 means without limit."""
        rules = self.policies.rules(tenant)
        # The archiver reads the record when the list of sends is old enough, whatever the category is.
        kept = rules.longest if rules.archived else rules.keep(category)
        return 0 if kept is None else max(kept + _grace(rules), LEAST_RECORD_MS)

    def topic_record_life(self, tenant: str) -> int:
        """How long the record of a notification to topics is kept, in ms."""
        rules = self.policies.rules(tenant)
        return max(rules.topics + _grace(rules), LEAST_RECORD_MS)

    def history_of(self, tenant: str) -> Archive | None:
        """The archive, if it has what the retention removed of this tenant."""
        return self.archive if self.policies.rules(tenant).archived else None

    @property
    def history_since(self) -> int:
        """The acceptance (ms) from which on an archived entry has a position of this data."""
        return since_of(self.began)

    async def read_began(self) -> int:
        """As `began`, in a process that does not `refresh`."""
        return _began(await self.call("HGET", META, "began"))

    def run(
        self, script: str, partition: int, *arguments: Argument, durable: bool = False
    ) -> asyncio.Future[Any]:
        """Run a script in a partition; see `Pipeline.run`."""
        return self.pipeline.run(script, partition, *arguments, durable=durable)

    async def open(self) -> None:
        """Read the facts of the store, or create them; load the scripts and determine the durability."""
        try:
            await check_mode(self.pipeline)
            await self._migrate()
            await self._read_meta()
            await self.pipeline.load_scripts()
            self.durability = await self._durability.read()
        except UNREACHABLE as error:
            raise self.pipeline.report_failure(error) from error

    async def _migrate(self) -> None:
        """Take over the data of the previous layout."""
        layout, partitions = await self.call("HMGET", META, "layout", "partitions")
        if layout is not None and partitions is not None and text(layout) == PREVIOUS:
            await migrate(self.call, int(partitions))

    async def _read_meta(self) -> None:
        # By the pipeline, so that a replica among its own connections is noticed.
        fresh: dict[str, str] = {
            "layout": LAYOUT,
            "partitions": str(self.settings.partitions),
            "epoch": secrets.token_hex(8),
            "secret": secrets.token_hex(32),
        }
        # A store that an older version made has an epoch, and its beginning is not known. The beginning is
        # written before the epoch, so no process finds an epoch without it.
        if await self.call("HGET", META, "epoch") is None:
            await self.call("HSETNX", META, "began", milliseconds())
        for field, value in fresh.items():
            await self.call("HSETNX", META, field, value)
        meta = await self.call("HGETALL", META)
        layout = text(meta[b"layout"])
        if layout != LAYOUT:
            message = f"the store has layout {layout}, this version reads {LAYOUT}"
            raise StoreMismatch(message)
        partitions = int(meta[b"partitions"])
        if not 1 <= partitions <= PARTITIONS_MAXIMUM:
            message = f"the store says it has {partitions} partitions"
            raise StoreMismatch(message)
        # The stored number counts, not the setting: keys depend on it.
        self.keys = Keys(partitions)
        self.epoch = text(meta[b"epoch"])
        self.began = _began(meta.get(b"began"))
        self.secret = bytes.fromhex(text(meta[b"secret"]))
        self.identity = identity_of(self.secret)

    async def start_new_epoch(self) -> str:
        """Give the data a new epoch and return it. Every client gets a notice, because data was lost.

        The positions go on, so the history of the data stays.
        """
        self.epoch = secrets.token_hex(8)
        try:
            await self.pipeline.client.hset(META, "epoch", self.epoch)
        except UNREACHABLE as error:
            raise self.pipeline.report_failure(error) from error
        return self.epoch

    async def refresh(self) -> bool:
        """Read epoch and durability again. Returns whether the epoch changed.

        A store that was emptied gets its facts, and with them a new epoch, here.
        """
        before = self.epoch
        try:
            await self._read_meta()
            self.durability = await self._durability.read()
        except UNREACHABLE as error:
            raise self.pipeline.report_failure(error) from error
        return self.epoch != before

    async def ping(self) -> None:
        """Return when Redis answers. Raises StorageUnavailable."""
        await self.call("HGET", META, "epoch")


def since_of(began: int) -> int:
    """The acceptance (ms) from which on an archived entry is of the data that began at a time."""
    return max(0, began - EARLY_MS)


def _began(stored: Any) -> int:
    return int(stored) if stored is not None else 0


def _grace(rules: Rules) -> int:
    return RECORD_GRACE_MS if rules.archived else 0
