"""The bridge: message brokers as sources of notifications, and as sinks of events.

A message is acknowledged after its notifications are durable, or after its dead letter is confirmed. The
position of a sink moves after its broker has confirmed the events. ADR 0018 has the reasons. `tidings-server
bridge` runs it, and `dev` where `--bridge` names a file.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from tidings_workers.bridge.brokers import BrokerError, open_broker, open_sink
from tidings_workers.bridge.configuration import Sink, Table
from tidings_workers.bridge.file import InvalidFile, read_file
from tidings_workers.bridge.loop import Loop
from tidings_workers.bridge.sink_worker import SinkWorker
from tidings_workers.bridge.status import Status
from tidings_workers.bridge.worker import SourceWorker
from tidings_workers.config import Settings
from tidings_workers.config_checks import ConfigurationError
from tidings_workers.logs import get_logger
from tidings_workers.registry import RegistryView
from tidings_workers.store import StorageUnavailable, Store
from tidings_workers.tasks import cancel_all, every, keep_running, open_store

__all__ = ["BrokerError", "InvalidFile", "open_broker", "open_sink", "read_file", "run"]

REPORT_SECONDS: Final = 5.0

_log = get_logger(__name__)


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Run the sources and sinks of the file `settings.bridge_file` until `stop` is set.

    `ready` is called when the store answers; a broker may be away then. Raises ConfigurationError for a
    fault of the file.
    """
    if settings.bridge_file is None:
        raise ConfigurationError(
            "TIDINGS_BRIDGE_FILE is not set: name the TOML file, as in `tidings-server bridge bridge.toml`"
        )
    tables = read_file(Path(settings.bridge_file))
    # Before the store is opened: a missing extra is a fault of the configuration.
    sources = [(each, open_broker(each)) for each in tables if not isinstance(each, Sink)]
    sinks = [(each, open_sink(each)) for each in tables if isinstance(each, Sink)]
    store = await open_store(settings, "bridge", stop)
    if store is None:
        return
    view = RegistryView(store.redis)
    name = f"b{os.getpid()}-{secrets.token_hex(4)}"
    statuses: list[Status] = []
    workers: list[Loop] = []
    for source, broker in sources:
        statuses.append(Status(name, source.kind, source.name, source.type))
        exists = partial(_exists, view, source)
        workers.append(SourceWorker(source, broker, store, statuses[-1], exists, stop))
    for sink, taker in sinks:
        statuses.append(Status(name, sink.kind, sink.name, sink.type))
        exists = partial(_exists, view, sink)
        workers.append(SinkWorker(sink, taker, store, statuses[-1], exists, stop, name))
    watching: list[asyncio.Task[None]] = []
    report = partial(_report, store, statuses)
    try:
        # The tenants are known before the first of them works.
        await keep_running("registry", view.load)
        watching.append(asyncio.create_task(keep_running("registry", partial(view.run, stop))))
        watching.append(asyncio.create_task(every(REPORT_SECONDS, "report", report)))
        ready()
        await asyncio.gather(*(keep_running("bridge", worker.run) for worker in workers))
    finally:
        await cancel_all(watching)
        try:
            await store.bridges.forget(status.report() for status in statuses)
        except StorageUnavailable as error:
            _log.debug("reports not removed", reason=error.reason)
        await store.close()


def _exists(view: RegistryView, table: Table) -> bool:
    return view.tenant(table.tenant) is not None


async def _report(store: Store, statuses: list[Status]) -> None:
    await store.bridges.report(status.report() for status in statuses)
